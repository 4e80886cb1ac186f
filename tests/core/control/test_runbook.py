"""Reading a runbook: what is wrong is told with its line; what is right says what it says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.control.watch_desk import RUNBOOK, SAM, SECOND_NS, WatchDesk, refusal

from seawall.core.control.runbook import (
    RunbookError,
    decode_runbook,
    ladder_of,
    needs_of,
    read_runbook,
    terms_of,
)
from seawall.core.control.state import NO_RUNBOOK
from seawall.core.control.toml_lines import TomlLines
from seawall.model import limits
from seawall.model.control_commands import AdoptRunbook, DefineServices
from seawall.model.control_events import RunbookAdopted
from seawall.model.posture import ServiceKind, Stage
from seawall.model.rejections import Rejection
from seawall.model.watch_facts import Health

GOOD = """\
version = "one"
[signals]
fresh_s = 5
[lease]
seconds = 4
[[dependency]]
name = "provider/amber"
[[dependency]]
name = "rpc/*"
part_of = ["provider/amber"]
[[rule]]
name = "amber is lost"
when = "provider/amber"
[[rule.move]]
services = "withdrawal/*"
to = "paused"
[[rule.move]]
services = "market/BTCUSDT"
to = "cancel_only"
[market]
needs = ["provider/amber"]
[[market.stage]]
stage = "cancel_only"
[[market.stage]]
stage = "auction"
by_outage = [[0, 60], [600, 120]]
[[market.stage]]
stage = "open"
gates = ["users_had_access", "auction_ready"]
[withdrawal]
needs = ["rpc/{network}/*"]
[[withdrawal.stage]]
stage = "paused"
[[withdrawal.stage]]
stage = "canary"
[[withdrawal.stage]]
stage = "limited"
gates = ["canary_settled"]
total_ppm = 250000
[[withdrawal.stage]]
stage = "open"
approvals = 2
"""

BAD = [
    # no TOML, or none of ours
    ('"one"', '"one', 1, "no TOML"),
    ("approvals = 2", "approvals = ", 42, "no TOML"),
    ("fresh_s = 5", "fresh_s = 5.0", 3, "5.0 is not a whole number"),
    ("[600, 120]", "[600, 1e3]", 26, "1e3 is not a whole number"),
    ("total_ppm = 250000", "total_ppm = nan", 39, "nan is not a whole number"),
    ("fresh_s = 5", "fresh_s = true", 3, "signals.fresh_s: Expected `int`"),
    ("fresh_s = 5", 'fresh_s = "5"', 3, "signals.fresh_s: Expected `int`"),
    ("fresh_s = 5", "fresh_s = 2026-11-22", 3, "signals.fresh_s: Expected `int`"),
    ("fresh_s = 5", "freshness_s = 5", 3, "unknown key freshness_s"),
    ("[lease]", "[leases]", 4, "unknown key leases"),
    ('to = "paused"', 'to = "paused"\nfor_s = 3', 17, "unknown key for_s"),
    ('version = "one"', "", 1, "the key version is missing"),
    ('services = "withdrawal/*"', "", 14, "the key services is missing"),
    ('to = "paused"', 'to = "closed"', 16, "to: closed is none of open, post_only"),
    ('stage = "canary"', 'stage = "canari"', 35, "stage: canari is none of cancel_only"),
    ('gates = ["canary_settled"]', 'gates = ["canary"]', 38, "gates: canary is none of"),
    ("[600, 120]", "[600]", 26, "Expected `array` of length 2"),
    ('version = "one"', "version = [[[[[[[[[[[[1]]]]]]]]]]]]", 1, "brackets in brackets"),
    ('version = "one"', 'version = ""', 1, "version: a name"),
    # numbers out of their range
    ("fresh_s = 5", "fresh_s = 0", 3, "fresh_s: 0 is not within 1 and 300"),
    ("seconds = 4", "seconds = 6", 5, "seconds: 6 is not within 1 and 5"),
    ("seconds = 4", "seconds = 4\nlapse_s = 2", 6, "lapse_s: 2 is not within 4"),
    ('name = "rpc/*"', 'name = "rpc/*"\nquorum = 0', 10, "quorum: 0 is not within 1"),
    (
        'name = "rpc/*"',
        'name = "rpc/*"\ndown_after_s = 60',
        8,
        "ok_after_s: 30 is not within 60",
    ),
    ("total_ppm = 250000", "total_ppm = 1000001", 39, "total_ppm: 1000001 is not within"),
    ("approvals = 2", "approvals = -1", 42, "approvals: -1 is not within 0 and 5"),
    ("approvals = 2", "approvals = 2\ncollar_bps = 9", 43, "collar_bps: it makes open_collared"),
    ("seconds = 4", "seconds = 4\n[surge]\nhours = 0", 7, "hours: 0 is not within 1"),
    ("seconds = 4", "seconds = 4\n[cadence]\nmajor_s = 600", 7, "major_s: 600 is not within 900"),
    # dependencies and rules
    ('name = "rpc/*"', 'name = "provider/amber"', 9, "provider/amber stands there twice"),
    ('name = "provider/amber"\n', 'name = "*"\n', 9, "rpc/* never counts: * stands before it"),
    ('name = "rpc/*"', 'name = "rpc /*"', 9, "is no name"),
    ('part_of = ["provider/amber"]', 'part_of = ["dns"]', 10, "part_of: no dependency is dns"),
    (
        'name = "provider/amber"\n',
        'name = "provider/amber"\npart_of = ["rpc/one"]\n',
        8,
        "part_of in circles: provider/amber -> rpc/* -> provider/amber",
    ),
    (
        'part_of = ["provider/amber"]',
        'part_of = ["rpc/two"]',
        10,
        "part_of in circles: rpc/* -> rpc/*",
    ),
    ('when = "provider/amber"', 'when = "provider/blue"', 13, "no dependency is provider/blue"),
    ('name = "amber is lost"', 'name = " "', 12, "name: a name"),
    ('when = "provider/amber"', 'when = "rpc/*"\nstates = []', 14, "states: at least one"),
    ('when = "provider/amber"', 'when = "rpc/*"\nstates = ["ok"]', 14, "no rule waits for ok"),
    (
        'when = "provider/amber"',
        'when = "rpc/*"\nstates = ["maintenance"]',
        14,
        "no rule waits for maintenance",
    ),
    ('services = "withdrawal/*"', 'services = "withdrawals/*"', 15, "no service can be"),
    ('services = "withdrawal/*"', 'services = "withdrawal/ETH"', 15, "no service can be"),
    ('services = "market/BTCUSDT"', 'services = "market/NONE"', 18, "unknown service market/NONE"),
    ('to = "paused"', 'to = "open"', 16, "rules move towards less"),
    ('to = "paused"', 'to = "limited"', 16, "limits are a ladder's"),
    ('to = "paused"', 'to = "halted"', 16, "withdrawal is never halted"),
    ('services = "withdrawal/*"', 'services = "*"', 16, "market is never paused"),
    ('services = "withdrawal/*"', 'services = "deposit/*"', 15, "no ladder leads deposit back"),
    # ladders
    ('needs = ["provider/amber"]', 'needs = ["rpc/{network}"]', 21, "cannot be filled in"),
    ('needs = ["rpc/{network}/*"]', 'needs = ["rpc/{chain}"]', 31, "cannot be filled in"),
    ('needs = ["rpc/{network}/*"]', 'needs = ["dns"]', 31, "needs: no dependency is dns"),
    ('stage = "cancel_only"', 'stage = "paused"', 23, "stage: market has no paused"),
    ('stage = "cancel_only"', 'stage = "post_only"', 23, "begins with cancel_only"),
    ('stage = "canary"', 'stage = "paused"', 35, "stage: paused stands after a later one"),
    ('stage = "canary"', 'stage = "wider"\ntotal_ppm = 9', 38, "limited stands after a later"),
    ('[[withdrawal.stage]]\nstage = "open"\napprovals = 2', "", 37, "the way back ends with open"),
    ('stage = "canary"', 'stage = "verify"', 38, "canary_settled never passes before canary"),
    ('[[market.stage]]\nstage = "auction"', "", 28, "auction_ready never passes before auction"),
    ("total_ppm = 250000", "", 36, "withdrawal limited: it needs a limit"),
    ("[600, 120]", "[0, 120]", 26, "by_outage: longer outages"),
    ("[600, 120]", "[600, 30]", 26, "by_outage: longer outages"),
    ('stage = "paused"', 'stage = "paused"\napprovals = 1', 32, "is the fall-back"),
    ('"auction_ready"]', '"users_had_access"]', 29, "users_had_access stands there twice"),
    ('"auction_ready"]', '"hot_wallet_covers"]', 29, "hot_wallet_covers is of withdrawals"),
    ("approvals = 2", 'gates = ["user_reports_calm"]', 42, "no dependency is users/*"),
    ("approvals = 2", 'keep = ["users_had_access"]', 42, "passes once, and then for good"),
]


@pytest.mark.parametrize(("was", "becomes", "line", "words"), BAD)
def test_what_is_wrong_is_told_with_its_line(was: str, becomes: str, line: int, words: str) -> None:
    assert GOOD.count(was) >= 1
    with pytest.raises(RunbookError) as caught:
        read_runbook(GOOD.replace(was, becomes, 1), ("market/BTCUSDT",))
    assert words in caught.value.message
    assert caught.value.line == line
    assert str(caught.value) == f"line {line}: {caught.value.message}"


def test_a_market_does_not_open_past_the_auction() -> None:
    text = GOOD.replace(
        '[[market.stage]]\nstage = "auction"\nby_outage = [[0, 60], [600, 120]]\n', ""
    )
    text = text.replace(', "auction_ready"', "")
    with pytest.raises(RunbookError, match=r"line 25: .* from cancel_only to open at once"):
        read_runbook(text)


def test_wider_is_wider() -> None:
    wider = '[[withdrawal.stage]]\nstage = "wider"\ntotal_ppm = 9\n[[withdrawal.stage]]'
    text = GOOD.replace("total_ppm = 250000\n[[withdrawal.stage]]", f"total_ppm = 250000\n{wider}")
    with pytest.raises(RunbookError, match="line 42: total_ppm: wider is not wider"):
        read_runbook(text)


def test_a_text_too_long_is_not_read() -> None:
    text = GOOD + "# more\n" * limits.RUNBOOK_CHARS
    with pytest.raises(RunbookError, match="longer than 32768 characters"):
        read_runbook(text)


def test_lines_of_inline_tables_quoted_keys_and_long_texts() -> None:
    lines = TomlLines(
        '''# head
a.b = 1
"c" = """
[no.table]
x = 1 \\""" still
"""
d = [ # an array
  { e = 1 },
  { e = 2,
    f = [ 3,
          4 ] },
]
[[g]]
[g.h]
i = 'it is """ so'
[[g]]
j = 5
'''
    )
    told: dict[tuple[str | int, ...], int] = {
        ("a", "b"): 2,
        ("c",): 3,
        ("d",): 7,
        ("d", 0, "e"): 8,
        ("d", 1, "e"): 9,
        ("d", 1, "f"): 10,
        ("d", 1, "f", 1): 11,
        ("g", 0): 13,
        ("g", 0, "h"): 14,
        ("g", 0, "h", "i"): 15,
        ("g", 1, "j"): 17,
        ("g", 1, "k", "l"): 16,
        ("z",): 1,
    }
    assert {path: lines.line_of(path) for path in told} == told


PIECES = [
    *"[]{}=,.ab1#\n \x00\u00e9\\\"'",
    *("[[", "]]", '"""', "version", '"x"', "[market]", "[[rule]]\n", "true", "1.5"),
]
pieces = st.lists(st.sampled_from(PIECES), max_size=40)


@given(pieces)
@settings(max_examples=400)
def test_any_text_is_read_or_refused(parts: list[str]) -> None:
    """Nothing but the one error comes out, whatever is written; its line is one of the text."""
    text = "".join(parts)
    line = 1
    try:
        read_runbook(text)
    except RunbookError as error:
        line = error.line
    assert 1 <= line <= text.count("\n") + 1


def test_what_is_read_is_what_is_written() -> None:
    runbook = read_runbook(GOOD)
    assert runbook == decode_runbook(GOOD)
    assert runbook.rule[0].states == (Health.DOWN,)
    assert [terms.stage for terms in runbook.withdrawal.stage] == [
        Stage.PAUSED,
        Stage.CANARY,
        Stage.LIMITED,
        Stage.OPEN,
    ]
    assert ladder_of(runbook, ServiceKind.MARKET) is runbook.market
    assert needs_of(runbook, "withdrawal/ETH/ETHEREUM") == ["rpc/ETHEREUM/*"]
    assert needs_of(runbook, "market/BTCUSDT") == ["provider/amber"]
    found = terms_of(runbook, "rpc/ETHEREUM/one")
    assert found is not None
    assert found.name == "rpc/*"
    assert terms_of(runbook, "dns") is None


def test_adopting_is_all_or_nothing_and_by_a_person() -> None:
    desk = WatchDesk(watchers={})
    hashed = desk.state.book.runbook_hash
    for text, person, reason in (
        ("version = 1", SAM, Rejection.RUNBOOK_INVALID),
        (GOOD, "", Rejection.INVALID_DEFINITION),
    ):
        assert refusal(desk.do(AdoptRunbook(text=text, person=person))) is reason
    assert desk.state.book.runbook_hash == hashed
    assert desk.state.runbook == read_runbook(RUNBOOK)
    adopted = [
        event
        for event in desk.do(AdoptRunbook(text=GOOD, person=SAM))
        if isinstance(event, RunbookAdopted)
    ]
    assert [(event.version, event.person) for event in adopted] == [("one", SAM)]
    assert desk.state.book.runbook_hash == adopted[0].text_hash != hashed
    # What the runbook names has a verdict from the start, and it is not that all is well.
    assert {name: row.health for name, row in desk.state.book.verdicts.items()} == {
        "provider/amber": Health.UNKNOWN
    }


def test_a_rule_for_a_service_that_is_not_there_is_refused_with_its_line() -> None:
    desk = WatchDesk(watchers={})
    desk.do(DefineServices(services=("market/ETHUSDT",)))
    events = desk.do(AdoptRunbook(text=GOOD, person=SAM))
    assert refusal(events) is Rejection.RUNBOOK_INVALID
    desk.do(DefineServices(services=("market/BTCUSDT",)))
    assert refusal(desk.do(AdoptRunbook(text=GOOD, person=SAM))) is None


def test_before_any_runbook_there_is_no_lease_and_no_verdict() -> None:
    assert not NO_RUNBOOK.dependency
    assert not NO_RUNBOOK.rule
    desk = WatchDesk(watchers={})
    desk.state.book.runbook_text = ""
    number = desk.state.book.lease.number
    desk.do(None, SECOND_NS)
    assert desk.state.book.lease.number == number
