"""A rich document to look at: an outage at one provider, half way back.  The rule: made-up facts.

`python -m tests.status.sample FOLDER` writes the site of it.
"""

import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import structs

from seawall.model.posture import (
    IncidentPhase,
    PlanStatus,
    Posture,
    Severity,
    Stage,
    service_kind,
)
from seawall.model.status_document import (
    CandleLine,
    DayLine,
    GateLine,
    IncidentLine,
    MaintenanceLine,
    PlanLine,
    QueueLine,
    ServiceLine,
    StatementLine,
    StatusDocument,
    UpdateLine,
)
from seawall.status.site import SiteSettings, build

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOW = 1_778_172_600 * SECOND
"""7 May 2026, 16:50 UTC."""
OUTAGE = NOW - 2 * HOUR - 41 * MINUTE
ETH = "withdrawal/ETH/ETH"
USDT = "withdrawal/USDT/ETH"
LTC = "withdrawal/LTC/LTC"
MARKETS = ("market/BTCUSDT", "market/ETHUSDT", "market/LTCUSDT")


def service(
    name: str,
    posture: Posture = Posture.OPEN,
    *,
    stage: Stage | None = None,
    reason: str = "",
    since: int = NOW - 30 * DAY,
    incident: int = 0,
) -> ServiceLine:
    return ServiceLine(
        service=name, kind=service_kind(name), posture=posture, stage=stage, since_ns=since,
        reason=reason, incident=incident,
    )  # fmt: skip


def update(
    number: int,
    at: int,
    phase: str,
    kind: str,
    *,
    services: tuple[str, ...] = (),
    words_en: str = "",
    words_ar: str = "",
    **facts: str | int,
) -> UpdateLine:
    return UpdateLine(
        number=number,
        at_ns=at,
        phase=IncidentPhase(phase),
        kind=kind,
        facts={key: str(value) for key, value in facts.items()},
        services=services,
        words_en=words_en,
        words_ar=words_ar,
    )


def calm(*, at: int = NOW, sequence: int = 1_000) -> StatusDocument:
    """Return a document of a day on which all is well."""
    services = [service("sign_in"), *(service(each) for each in MARKETS)]
    services += [service(each) for each in (ETH, USDT, LTC)]
    services += [service(each.replace("withdrawal", "deposit")) for each in (ETH, USDT, LTC)]
    return StatusDocument(
        exchange="Seawall",
        sequence=sequence,
        at_ns=at,
        made_ns=at + 20_000_000,
        node="blue",
        lease_until_ns=at + 4 * SECOND,
        runbook="2026-05 · 4f1c9a",
        services=(*services, service("transfers")),
        queues=tuple(
            QueueLine(
                asset=name.split("/")[1], network=name.split("/")[2], posture=Posture.OPEN,
                waiting=0, waiting_amount="0",
            )
            for name in (ETH, USDT, LTC)
        ),
        history_from="2026-02-20",
    )  # fmt: skip


def outage() -> StatusDocument:
    """Return the whole: incidents, plans, queues, candles, maintenance, a statement."""
    moved = {
        ETH: service(
            ETH, Posture.LIMITED, stage=Stage.LIMITED, since=NOW - 22 * MINUTE, incident=7,
            reason="reopening in stages",
        ),
        USDT: service(
            USDT, Posture.PAUSED, stage=Stage.CANARY, since=OUTAGE, incident=7,
            reason="provider amber does not answer",
        ),
        LTC: service(
            LTC, Posture.PAUSED, since=NOW - 9 * MINUTE, incident=8,
            reason="the two Litecoin nodes contradict each other",
        ),
        "market/BTCUSDT": service(
            "market/BTCUSDT", stage=Stage.OPEN_COLLARED, since=NOW - 50 * MINUTE, incident=7
        ),
        "market/ETHUSDT": service(
            "market/ETHUSDT", Posture.AUCTION, stage=Stage.AUCTION, since=NOW - 4 * MINUTE,
            incident=7,
        ),
        "market/LTCUSDT": service(
            "market/LTCUSDT", Posture.CANCEL_ONLY, since=OUTAGE + 2 * SECOND, incident=7
        ),
    }  # fmt: skip
    base = calm(sequence=48_213)
    return structs.replace(
        base,
        services=tuple(moved.get(each.service, each) for each in base.services),
        incidents=(_coins(), _provider(), *_past()),
        plans=_plans(),
        maintenances=_maintenances(),
        queues=_queues(),
        candles=(
            CandleLine(market="", from_ns=OUTAGE, until_ns=OUTAGE + 3 * MINUTE,
                       reason="the exchange was not running"),
            CandleLine(market="LTCUSDT", from_ns=OUTAGE, until_ns=0, reason="cancel-only"),
        ),
        history=_history(),
        statement=statement(),
    )  # fmt: skip


def statement() -> StatementLine:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    text = (
        '{"at":"2026-05-07T16:41:00Z","journal":{"spot":{"sequence":918273,"head":"9b1de0"}},'
        '"ledger":{"zeroSum":true},"reconciliation":{"ETH":"equal","LTC":"differs"}}'
    )
    return StatementLine(
        at_ns=NOW - 9 * MINUTE,
        statement=text,
        signature=key.sign(text.encode()).hex(),
        public_key=key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex(),
    )


def _provider() -> IncidentLine:
    affected = (*MARKETS, ETH, USDT)
    return IncidentLine(
        number=7,
        severity=Severity.CRITICAL,
        phase=IncidentPhase.MONITORING,
        kind="provider_lost",
        facts={"dependency": "provider/amber"},
        services=affected,
        dependencies=("provider/amber",),
        opened_ns=OUTAGE,
        next_update_ns=NOW + 8 * MINUTE,
        missed_updates=1,
        updates=(
            update(1, OUTAGE, "investigating", "opened", dependency="provider/amber",
                   health="down"),
            update(2, OUTAGE + SECOND, "investigating", "posture_changed", services=(ETH,),
                   posture="paused", previous="open"),
            update(3, OUTAGE + 15 * MINUTE, "investigating", "still_the_same"),
            update(4, OUTAGE + 31 * MINUTE, "identified", "words",
                   words_en="Our provider in one city has lost power. Your balances are safe:"
                   " they stand in journals at two other providers.\nWe reopen in steps.",
                   words_ar="انقطعت الكهرباء عن مزودنا في إحدى المدن. أرصدتك سليمة: فهي مسجلة لدى"
                   " مزودَين آخرين.\nنعيد الفتح على خطوات."),
            update(5, NOW - 70 * MINUTE, "monitoring", "dependency_recovered",
                   dependency="provider/amber"),
            update(6, NOW - 50 * MINUTE, "monitoring", "stage_entered",
                   services=("market/BTCUSDT",), stage="open_collared"),
            update(7, NOW - 22 * MINUTE, "monitoring", "stage_entered", services=(ETH,),
                   stage="limited"),
            update(8, NOW - 7 * MINUTE, "monitoring", "gate_failed", services=(USDT,),
                   gate="hot_wallet_covers", value="61 %", needs="100 %"),
        ),
    )  # fmt: skip


def _coins() -> IncidentLine:
    return IncidentLine(
        number=8,
        severity=Severity.MINOR,
        phase=IncidentPhase.INVESTIGATING,
        kind="rpc_trouble",
        facts={"dependency": "rpc/LTC/one"},
        services=(LTC,),
        dependencies=("rpc/LTC/one",),
        opened_ns=NOW - 9 * MINUTE,
        next_update_ns=NOW - MINUTE,
        updates=(
            update(1, NOW - 9 * MINUTE, "investigating", "opened", dependency="rpc/LTC/one",
                   health="degraded"),
            update(2, NOW - 8 * MINUTE, "investigating", "words", services=(LTC,),
                   words_en="One of our two Litecoin nodes is on another fork."),
        ),
    )  # fmt: skip


def _past() -> tuple[IncidentLine, ...]:
    return (
        IncidentLine(
            number=6, severity=Severity.MAJOR, phase=IncidentPhase.RESOLVED,
            kind="reconciliation_difference", facts={"asset": "USDT"}, services=(USDT,),
            opened_ns=NOW - 12 * DAY, resolved_ns=NOW - 12 * DAY + 95 * MINUTE,
            updates=(
                update(1, NOW - 12 * DAY, "investigating", "opened"),
                update(2, NOW - 12 * DAY + 95 * MINUTE, "resolved", "resolved",
                       lasted_s=95 * 60),
            ),
        ),
        IncidentLine(
            number=5, severity=Severity.MINOR, phase=IncidentPhase.RESOLVED, kind="operator",
            title_en="Deposits of Litecoin arrived late", title_ar="تأخر وصول إيداعات لايتكوين",
            services=("deposit/LTC/LTC",), opened_ns=NOW - 40 * DAY,
            resolved_ns=NOW - 40 * DAY + 3 * HOUR,
        ),
    )  # fmt: skip


def _plans() -> tuple[PlanLine, ...]:
    def gate(name: str, passed: bool | None, value: str = "", needs: str = "") -> GateLine:
        measured = 0 if passed is None else NOW - 40 * SECOND
        return GateLine(
            gate=name, passed=passed, value=value, needs=needs, measured_ns=measured,
            evidence="5d41402abc4b2a76b9719d911017c592" if name == "chain_reconciled" else "",
        )  # fmt: skip

    return (
        PlanLine(
            plan_id=12, incident=7, services=(ETH,), status=PlanStatus.APPROVAL,
            stage=Stage.LIMITED, stage_since_ns=NOW - 22 * MINUTE, next_stage=Stage.WIDER,
            gates=(
                gate("dependencies_healthy", True, "72 minutes", "at least 10 minutes"),
                gate("chain_reconciled", True, "difference 0 ETH", "0 ETH"),
                gate("hot_wallet_covers", True, "140 %", "100 %"),
            ),
            approvals=("operator",), approvals_needed=2,
        ),
        PlanLine(
            plan_id=13, incident=7, services=(USDT,), status=PlanStatus.CHECKING,
            stage=Stage.CANARY, stage_since_ns=NOW - 12 * MINUTE, next_stage=Stage.LIMITED,
            gates=(
                gate("canary_settled", True, "0x8f3a…, 14 blocks deep", "12 blocks"),
                gate("hot_wallet_covers", False, "61 %", "100 %"),
                gate("statement_signed", None),
            ),
        ),
    )  # fmt: skip


def _maintenances() -> tuple[MaintenanceLine, ...]:
    return (
        MaintenanceLine(
            number=3, title_en="New Litecoin nodes", title_ar="عقد لايتكوين جديدة",
            services=(LTC, "deposit/LTC/LTC"), begins_ns=NOW + 2 * DAY,
            ends_ns=NOW + 2 * DAY + 2 * HOUR, status="scheduled",
        ),
    )  # fmt: skip


def _queues() -> tuple[QueueLine, ...]:
    return (
        QueueLine(
            asset="ETH", network="ETH", posture=Posture.LIMITED, stage=Stage.LIMITED,
            next_gate="approvals", waiting=1_482, waiting_amount="3906.250000000000000001",
            oldest_ns=OUTAGE - 20 * SECOND, in_flight=12, per_withdrawal_max="1.5",
        ),
        QueueLine(
            asset="USDT", network="ETH", posture=Posture.PAUSED, stage=Stage.CANARY,
            next_gate="hot_wallet_covers", waiting=903, waiting_amount="5120442.18",
            oldest_ns=OUTAGE + 3 * SECOND, reason="provider amber does not answer",
        ),
        QueueLine(
            asset="LTC", network="LTC", posture=Posture.PAUSED, waiting=4,
            waiting_amount="210.5", oldest_ns=NOW - 6 * MINUTE,
            reason="the two Litecoin nodes contradict each other",
        ),
    )  # fmt: skip


def _history() -> tuple[DayLine, ...]:
    today = [
        DayLine(service=each, day="2026-05-07", closed_s=7_000, limited_s=2_600, incidents=(7,))
        for each in (*MARKETS, ETH, USDT)
    ]
    return (
        *today,
        DayLine(service=USDT, day="2026-04-25", closed_s=5_700, incidents=(6,)),
        DayLine(service="deposit/LTC/LTC", day="2026-03-28", limited_s=10_800, incidents=(5,)),
        DayLine(service="market/ETHUSDT", day="2026-03-11", limited_s=900),
    )


if __name__ == "__main__":
    out = Path(sys.argv[1])
    settings = SiteSettings(url="https://status.example")
    for path, content in build(outage(), NOW + 4 * SECOND, settings).items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(content)
