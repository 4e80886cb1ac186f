"""The provider-loss drill's report.  The rule: the exchange's gap stands beside etcd's own.

Every gap is the longest time without one success anywhere, from the fault to the heal.  A ratio is
given only where etcd had to elect a leader: elsewhere it has no gap to compare with.
"""

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from seawall.lab.drills.audit import Finding, Kind
from seawall.lab.drills.base import DrillReport, Mark, Promise, Series, Span, Table, Timeline
from seawall.lab.drills.cluster_audit import (
    Isolation,
    Replicas,
    isolated_acks,
    longest_gap,
    went_back,
)
from seawall.lab.drills.cluster_history import CANCEL, PLACE, History
from seawall.lab.drills.ledger import Ledger
from seawall.lab.machine import describe_machine

FINDINGS_TOLD: Final = 50
SAID: Final = 5
ELECTION_S: Final = 0.5
"""A shorter gap of etcd's is no election: its members wait for so long before they hold one."""
LIMITS: Final = (
    (
        "Three providers on one machine share its processors and its disk: the gaps are longer than"
        " on machines of their own, for etcd and for the exchange alike. Their ratio says more."
    ),
    "One provider at a time. What the loss of two does is the subject of quorum repair.",
    (
        "A filled disk is a small file system of the provider's own. Slowness is a delay of what it"
        " sends where the kernel has netem, else its processes are stopped again and again."
    ),
    (
        "Linearizability is checked of each order and of what an account's orders hold, over all"
        " answers; answers that say themselves that they may be old are left out of it."
    ),
)


class Loss(Struct, frozen=True, kw_only=True):
    """One fault and what followed."""

    kind: str
    means: str
    provider: str
    led: bool
    """Whether it led the spot cell."""
    etcd_led: bool
    """Whether its member led etcd."""
    backwards: bool
    """Healed in the other order."""
    from_s: float
    heal_s: float
    healed_s: float
    well_s: float | None
    """When it knew everything again; None: it did not."""


class Gaps(Struct, frozen=True, kw_only=True):
    """What one loss cost."""

    write_s: float
    cancel_s: float
    etcd_s: float
    full_s: float
    """The longest that any other provider's gateway was without a success."""
    heal_s: float
    """The longest time without a write from the heal until all was well."""
    well_s: float | None
    """From the heal until the provider knew everything again."""

    @property
    def ratio(self) -> float | None:
        return self.write_s / self.etcd_s if self.etcd_s >= ELECTION_S else None


class Seen(Struct, frozen=True, kw_only=True):
    """All that the drill saw."""

    seed: int
    kinds: Sequence[str]
    started_at: str
    began_s: float
    duration_s: float
    history: History
    bare_acks_s: list[float]
    losses: list[Loss]
    isolations: list[Isolation]
    ledgers: dict[str, Ledger]
    findings: list[Finding]
    unexplained: list[str]
    replicas: Replicas
    failure: str = ""

    def count(self, kind: Kind) -> int:
        return sum(1 for finding in self.findings if finding.kind is kind)


def loss_report(seen: Seen) -> DrillReport:
    """Return the report."""
    gaps = [_gaps(seen, loss) for loss in seen.losses]
    wrong = {
        "isolated": isolated_acks(seen.history.acks, seen.isolations),
        "back": went_back(seen.history.acks),
    }
    numbers = _numbers(seen, gaps, wrong)
    return DrillReport(
        drill="provider-loss",
        title=f"Provider-loss drill: {len(seen.losses)} times one of three ({_kinds(seen)})",
        about=(
            "Three providers, each with a member of the journal and a node, served clients through"
            " three gateways, over REST and the WebSocket API. In each round one provider was hurt,"
            " in turn the one that led and another, and healed again, in either order. Clients"
            " repeated what was not answered. At the end everything that they had been told was"
            " compared with what the exchange says now, with a replay of the journal, and with"
            " what any one order of events could explain."
        ),
        started_at=seen.started_at,
        seed=seen.seed,
        machine=describe_machine(),
        numbers=numbers,
        promises=_promises(seen, numbers, wrong),
        timeline=_timeline(seen),
        tables=_tables(seen, gaps, wrong),
        limits=LIMITS,
    )


def _kinds(seen: Seen) -> str:
    return ", ".join(seen.kinds)


def _gaps(seen: Seen, loss: Loss) -> Gaps:
    history = seen.history
    until_s = loss.well_s or loss.healed_s
    others = sorted({ack.gateway for ack in history.acks} - {loss.provider})
    full = [
        longest_gap(history.times_s(kind, gateway), loss.from_s, loss.heal_s)
        for kind in (PLACE, CANCEL)
        for gateway in others
    ]
    writes = history.times_s(PLACE)
    return Gaps(
        write_s=longest_gap(writes, loss.from_s, loss.heal_s),
        cancel_s=longest_gap(history.times_s(CANCEL), loss.from_s, loss.heal_s),
        etcd_s=longest_gap(seen.bare_acks_s, loss.from_s, loss.heal_s),
        full_s=max(full, default=0.0),
        heal_s=longest_gap(writes, loss.heal_s, until_s),
        well_s=None if loss.well_s is None else loss.well_s - loss.heal_s,
    )


def _numbers(seen: Seen, gaps: list[Gaps], wrong: dict[str, list[str]]) -> dict[str, Any]:
    ledgers = seen.ledgers.values()
    placed = sum(len(ledger.placed) for ledger in ledgers)
    canceled = sum(len(ledger.canceled) for ledger in ledgers)
    fills = sum(ledger.fills for ledger in ledgers)
    ratios = [gap.ratio for gap in gaps if gap.ratio is not None]
    elected = [gap for gap in gaps if gap.ratio is not None]
    writes = len(seen.history.times_s(PLACE)) + len(seen.history.times_s(CANCEL))
    return {
        "rounds": len(seen.losses),
        "acknowledged": placed + canceled + fills,
        "lost": seen.count(Kind.LOST),
        "duplicated": seen.count(Kind.DUPLICATED),
        "phantom": seen.count(Kind.PHANTOM),
        "balances_wrong": seen.count(Kind.BALANCE),
        "digests_equal": seen.replicas.equal,
        "linearizable": not seen.unexplained,
        "checked_operations": len(seen.history.orders) + len(seen.history.holds),
        "acknowledged_in_isolation": len(wrong["isolated"]),
        "went_back": len(wrong["back"]),
        "write_gap_s": _worst(gap.write_s for gap in gaps),
        "cancel_gap_s": _worst(gap.cancel_s for gap in gaps),
        "etcd_gap_s": _worst(gap.etcd_s for gap in gaps),
        "full_recovery_s": _worst(gap.full_s for gap in gaps),
        "heal_gap_s": _worst(gap.heal_s for gap in gaps),
        "back_s": _worst(gap.well_s or 0.0 for gap in gaps),
        "write_gap_median_s": _median(gap.write_s for gap in gaps),
        "etcd_gap_median_s": _median(gap.etcd_s for gap in elected),
        "ratio_median": _median(ratios),
        "ratio_worst": _worst(ratios),
        "cancel_after_etcd_s": _worst(max(gap.cancel_s - gap.etcd_s, 0.0) for gap in elected),
        "writes_per_second": round(writes / max(seen.duration_s, 1.0), 1),
        "orders": placed,
        "cancels": canceled,
        "fills": fills,
        "streamed": len(seen.history.streamed),
        "answers_missing": seen.history.unknown,
        "refused_for_now": seen.history.refused_for_now,
        "answers_last_known": seen.history.last_known,
        "entries": seen.replicas.entries,
    }


def _worst(values: Any) -> float:
    return round(max(values, default=0.0), 3)


def _median(values: Any) -> float:
    found = list(values)
    return round(statistics.median(found), 3) if found else 0.0


def _promises(
    seen: Seen, numbers: dict[str, Any], wrong: dict[str, list[str]]
) -> tuple[Promise, ...]:
    asked = not seen.failure

    def promise(name: str, evidence: str, *, held: bool) -> Promise:
        return Promise(
            name=name, held=asked and held, evidence=evidence if asked else "It was not compared."
        )

    return (
        promise(
            "What was acknowledged is there",
            f"{numbers['orders']:,} orders, {numbers['fills']:,} fills and"
            f" {numbers['cancels']:,} cancels were acknowledged, {numbers['streamed']:,} events"
            f" streamed; {numbers['lost']} are lost or changed.",
            held=not numbers["lost"],
        ),
        promise(
            "Nothing happened twice",
            f"{numbers['answers_missing']:,} times an answer was missing and the client asked"
            f" again; {numbers['duplicated']} orders, trades or commands are there twice.",
            held=not numbers["duplicated"],
        ),
        promise(
            "Nothing is there that was refused or never sent, and every balance adds up",
            f"{numbers['phantom']} such orders; {numbers['balances_wrong']} balances differ.",
            held=not numbers["phantom"] and not numbers["balances_wrong"],
        ),
        promise(
            "One order of events explains every answer",
            f"{numbers['checked_operations']:,} placings, cancels and looks were checked;"
            f" {_few(seen.unexplained)}.",
            held=not seen.unexplained,
        ),
        promise(
            "No answer knew less than an earlier one to the same client",
            f"Of {len(seen.history.acks):,} answers, {_few(wrong['back'])}.",
            held=not wrong["back"],
        ),
        promise(
            "A provider that is cut off acknowledges nothing",
            f"{len(seen.isolations)} cuts; asked after the cut: {_few(wrong['isolated'])}.",
            held=not wrong["isolated"],
        ),
        promise(
            "All replicas are in the state that the journal makes",
            f"{numbers['entries']:,} entries were replayed and compared with the state that each"
            f" node ended in; {_few(seen.replicas.said)}.",
            held=seen.replicas.equal,
        ),
        _came_back(seen, numbers),
    )


def _came_back(seen: Seen, numbers: dict[str, Any]) -> Promise:
    unwell = [loss for loss in seen.losses if loss.well_s is None]
    return Promise(
        name="It went on, and every provider came back, by itself",
        held=not seen.failure and not unwell,
        evidence=seen.failure
        or f"{len(seen.losses)} losses, {len(unwell)} of them without a way back; the longest"
        f" time without a write was {numbers['write_gap_s']} s, without a cancel's receipt"
        f" {numbers['cancel_gap_s']} s, etcd's own {numbers['etcd_gap_s']} s.",
    )


def _few(found: Sequence[str]) -> str:
    return f"{len(found)} do not fit: {'; '.join(found[:SAID])}" if found else "all fit"


def _timeline(seen: Seen) -> Timeline:
    writes = [ack for ack in seen.history.acks if ack.kind in {PLACE, CANCEL}]
    seconds = range(int(seen.duration_s) + 1)
    total = Counter(int(ack.told_s - seen.began_s) for ack in writes)
    by_gateway: dict[str, Counter[int]] = {}
    for ack in writes:
        by_gateway.setdefault(ack.gateway, Counter())[int(ack.told_s - seen.began_s)] += 1
    spans: list[Span] = []
    marks: list[Mark] = []
    for loss in seen.losses:
        from_s, heal_s = loss.from_s - seen.began_s, loss.heal_s - seen.began_s
        well_s = (loss.well_s or loss.healed_s) - seen.began_s
        text = f"{loss.kind}: {loss.provider}, which {_role(loss)}"
        spans.append(Span(from_s=from_s, to_s=heal_s, kind="down", text=text))
        spans.append(Span(from_s=heal_s, to_s=well_s, kind="recovering", text=text))
        marks.append(Mark(at_s=round(from_s, 3), kind="fault", text=text))
        marks.append(Mark(at_s=round(heal_s, 3), kind="heal", text=f"{loss.provider} is healed"))
    return Timeline(
        duration_s=round(seen.duration_s, 2),
        per_second=tuple(total[second] for second in seconds),
        counted="orders and cancels acknowledged per second",
        series=tuple(
            Series(name=name, per_second=tuple(counts[second] for second in seconds))
            for name, counts in sorted(by_gateway.items())
        ),
        spans=tuple(spans),
        marks=tuple(marks),
    )


def _role(loss: Loss) -> str:
    led = [what for what, did in (("the exchange", loss.led), ("etcd", loss.etcd_led)) if did]
    return f"led {' and '.join(led)}" if led else "followed"


def _tables(seen: Seen, gaps: list[Gaps], wrong: dict[str, list[str]]) -> tuple[Table, ...]:
    losses = Table(
        title="Losses",
        columns=(
            "round", "fault", "provider", "which", "no write", "no cancel", "etcd", "ratio",
            "last gateway", "no write at heal", "back after",
        ),
        rows=tuple(
            _loss_row(number, loss, gap)
            for number, (loss, gap) in enumerate(zip(seen.losses, gaps, strict=True), start=1)
        ),
        note=(
            "Seconds. The longest time without a success at any gateway, from fault to heal; etcd:"
            " the same for a bare writer at every member; last gateway: the same, at the worst of"
            " the other gateways; back after: from the heal until the provider knew everything."
        ),
        shown=True,
    )  # fmt: skip
    clients = Table(
        title="Accounts",
        columns=("account", "orders", "fills", "cancels", "refused"),
        rows=tuple(
            (
                name,
                f"{len(ledger.placed):,}",
                f"{ledger.fills:,}",
                f"{len(ledger.canceled):,}",
                f"{len(ledger.refused):,}",
            )
            for name, ledger in seen.ledgers.items()
        ),
    )
    rows = [(finding.kind.value, finding.text) for finding in seen.findings]
    rows += [("isolated", text) for text in wrong["isolated"]]
    rows += [("went back", text) for text in wrong["back"]]
    rows += [("not explained", text) for text in seen.unexplained]
    rows += [("replica", text) for text in seen.replicas.said]
    what = Table(title="What is wrong", columns=("kind", "what"), rows=tuple(rows[:FINDINGS_TOLD]))
    return (what, losses, clients) if rows else (losses, clients)


def _loss_row(number: int, loss: Loss, gap: Gaps) -> tuple[str, ...]:
    return (
        str(number),
        loss.kind if loss.means == loss.kind else f"{loss.kind} ({loss.means})",
        loss.provider,
        _role(loss),
        f"{gap.write_s:.2f}",
        f"{gap.cancel_s:.2f}",
        f"{gap.etcd_s:.2f}",
        "" if gap.ratio is None else f"{gap.ratio:.1f}",
        f"{gap.full_s:.2f}",
        f"{gap.heal_s:.2f}",
        "never" if gap.well_s is None else f"{gap.well_s:.2f}",
    )
