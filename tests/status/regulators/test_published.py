"""Three published outages.  The rule: only what was published is stated, as if DORA had applied."""

from tests.status.regulators.facts import facts, incident, ns

from seawall.status.regulators.classify import Outcome, classify
from seawall.status.regulators.conditions import Met

REGULATED = """
[regimes]
dora = true
[services]
critical_function = true
authorised = true
[reputation]
media = true
"""


def test_okx_on_18_december_2022() -> None:
    """Trading, deposits and withdrawals stopped at 03:00 UTC; trading was back at 18:50, deposits
    and withdrawals at 04:00 of the 19th (OKX's notice as copied by the press; SCMP for the begin).
    """
    found = facts(base=REGULATED + """
        [moments]
        occurred = 2022-12-18T03:00:00Z
        down_from = 2022-12-18T03:00:00Z
        down_until = 2022-12-19T04:00:00Z
        recovered = 2022-12-19T04:00:00Z
        resolved = 2022-12-19T04:00:00Z
    """)  # fmt: skip
    line = incident(opened_ns=ns("2022-12-18T03:00:00Z"))
    verdict = classify(line, found, ns("2022-12-20T00:00:00Z"))
    assert verdict.outcome is Outcome.MAJOR
    duration = next(e for e in verdict.thresholds if e.name == "duration_and_service_downtime")
    assert {each.name: (each.met, each.value) for each in duration.conditions} == {
        "duration": (Met.YES, "1 d 01:00:00"),
        "downtime": (Met.YES, "1 d 01:00:00"),
    }
    # Three hours in, with the services still down and the press told, it was that already.
    running = facts(base=REGULATED + "[moments]\ndown_from = 2022-12-18T03:00:00Z\n")
    assert classify(line, running, ns("2022-12-18T06:00:00Z")).outcome is Outcome.MAJOR
    assert classify(line, running, ns("2022-12-18T04:00:00Z")).outcome is Outcome.CANNOT_TELL


def test_binance_and_aws_tokyo_on_15_april_2025() -> None:
    """Impact from 07:40 to 08:43 UTC (AWS); withdrawals suspended at 08:05 and open at 08:16 (posts
    of the exchange, by way of the press).  How many were affected was not published.
    """
    found = facts(base=REGULATED + """
        [entity]
        recurring_exempt = true
        [access]
        malicious = false
        [moments]
        occurred = 2025-04-15T07:40:00Z
        down_from = 2025-04-15T07:40:00Z
        down_until = 2025-04-15T08:43:00Z
        resolved = 2025-04-15T08:51:00Z
    """)  # fmt: skip
    verdict = classify(incident(opened_ns=ns("2025-04-15T07:43:00Z")), found,
                       ns("2025-04-16T00:00:00Z"))  # fmt: skip
    by_name = {each.name: each.met for each in verdict.thresholds}
    assert by_name["duration_and_service_downtime"] is Met.NO
    assert by_name["reputational_impact"] is Met.YES
    assert verdict.outcome is Outcome.CANNOT_TELL
    assert {"clients.affected", "geography.member_states", "economy.loss_eur"} <= set(
        verdict.deciding
    )
    assert "access.malicious" not in verdict.deciding


def test_coinbase_on_7_may_2026() -> None:
    """Customers hit at 23:48 UTC, monitors at 23:50, cancel-only at 06:25, all books open at 07:49,
    customers back to normal at 13:53, the last backlog at 18:00 (the exchange's post-mortem, by way
    of the press).
    """
    found = facts(base=REGULATED + """
        [moments]
        occurred = 2026-05-07T23:48:00Z
        detected = 2026-05-07T23:50:00Z
        down_from = 2026-05-07T23:48:00Z
        down_until = 2026-05-08T13:53:00Z
        recovered = 2026-05-08T13:53:00Z
        resolved = 2026-05-08T18:00:00Z
    """)  # fmt: skip
    verdict = classify(incident(opened_ns=ns("2026-05-07T23:50:00Z")), found,
                       ns("2026-05-10T00:00:00Z"))  # fmt: skip
    duration = next(e for e in verdict.thresholds if e.name == "duration_and_service_downtime")
    assert {each.name: (each.met, each.value) for each in duration.conditions} == {
        "duration": (Met.NO, "18:12:00"),
        "downtime": (Met.YES, "14:05:00"),
    }
    assert verdict.outcome is Outcome.MAJOR
