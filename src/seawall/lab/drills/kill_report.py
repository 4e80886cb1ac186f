"""The kill drill's report.  The rule: every number stands beside the promise it judges."""

import itertools
import statistics
from collections import Counter
from typing import Any, Final

from msgspec import Struct

from seawall.lab.drills.audit import Finding, Kind
from seawall.lab.drills.base import DrillReport, Mark, Promise, Span, Table, Timeline
from seawall.lab.drills.ledger import Ledger
from seawall.lab.drills.trader import Trader
from seawall.lab.machine import describe_machine

FINDINGS_TOLD: Final = 50
SAID_CHARS: Final = 800
LIMITS: Final = (
    (
        "SIGKILL ends the process; the system's page cache survives it. Loss of power is tested in"
        " the journal's own suite, by losing writes that were not yet synced."
    ),
    "One machine, one disk. What happens when either is gone is for later drills.",
    (
        "The seed repeats the drill's choices, not its timing: the kills fall at other moments"
        " each time."
    ),
)


class Kill(Struct, frozen=True, kw_only=True):
    """One kill and what followed."""

    at_s: float
    when: str
    recovery_s: float
    """From the last start of the process until it took commands again."""
    down_s: float
    """From the kill until it took commands again; further kills during the start included."""
    kills: int


class Seen(Struct, frozen=True, kw_only=True):
    """All that the drill saw."""

    seed: int
    started_at: str
    began_s: float
    duration_s: float
    rounds: int
    kills: list[Kill]
    traders: list[Trader]
    findings: list[Finding]
    exit_code: int
    """Of the last life, which was ended with SIGTERM."""
    verified: bool
    verify_said: str
    failure: str = ""
    """Why the exchange did not come back; then nothing could be compared."""

    def count(self, kind: Kind) -> int:
        return sum(1 for finding in self.findings if finding.kind is kind)


def kill_report(seen: Seen) -> DrillReport:
    """Return the report."""
    numbers = _numbers(seen)
    return DrillReport(
        drill="kill",
        title=f"Kill drill: killed {numbers['kills']} times",
        about=(
            f"{len(seen.traders)} traders worked against a real exchange over its public API, some"
            " over REST, some over the WebSocket API: they placed limit, market and maker orders,"
            f" canceled and replaced them, met each other, and moved money between their spot and"
            f" funding wallets. In {seen.rounds} rounds the process"
            " was ended with SIGKILL, which it can neither see coming nor answer, and started"
            " again. Traders whose answer was cut off asked again. At the end all that had been"
            " acknowledged was compared with what the exchange says now."
        ),
        started_at=seen.started_at,
        seed=seen.seed,
        machine=describe_machine(),
        numbers=numbers,
        promises=_promises(seen, numbers),
        timeline=_timeline(seen),
        tables=_tables(seen),
        limits=LIMITS,
    )


def _numbers(seen: Seen) -> dict[str, Any]:
    ledgers = [trader.ledger for trader in seen.traders]
    recoveries = [kill.recovery_s for kill in seen.kills] or [0.0]
    placed = sum(len(ledger.placed) for ledger in ledgers)
    canceled = sum(len(ledger.canceled) for ledger in ledgers)
    fills = sum(ledger.fills for ledger in ledgers)
    return {
        "rounds": seen.rounds,
        "kills": sum(kill.kills for kill in seen.kills),
        "acknowledged": placed + canceled + fills,
        "lost": seen.count(Kind.LOST),
        "duplicated": seen.count(Kind.DUPLICATED),
        "phantom": seen.count(Kind.PHANTOM),
        "balances_wrong": seen.count(Kind.BALANCE),
        "recovery_s": {
            "median": round(statistics.median(recoveries), 3),
            "max": round(max(recoveries), 3),
        },
        "orders": placed,
        "cancels": canceled,
        "fills": fills,
        "transfers": sum(len(ledger.transfers) for ledger in ledgers),
        "transfers_lost": seen.count(Kind.TRANSFER_LOST),
        "transfers_doubled": seen.count(Kind.TRANSFER_DOUBLED),
        "answers_missing": sum(ledger.unknown for ledger in ledgers),
    }


def _promises(seen: Seen, numbers: dict[str, Any]) -> tuple[Promise, ...]:
    compared = (
        (
            Kind.LOST,
            "What was acknowledged is there",
            (
                f"{numbers['orders']:,} orders, {numbers['fills']:,} fills and"
                f" {numbers['cancels']:,} cancels were acknowledged; {numbers['lost']} are lost or"
                " changed."
            ),
        ),
        (
            Kind.DUPLICATED,
            "Nothing happened twice",
            (
                f"{numbers['answers_missing']:,} times an answer was missing and the trader asked"
                f" again; {numbers['duplicated']} orders or trades are there twice."
            ),
        ),
        (
            Kind.PHANTOM,
            "Nothing is there that was refused or never sent",
            f"{numbers['phantom']} such orders.",
        ),
        (
            Kind.BALANCE,
            "Every balance adds up",
            (
                "Each trader's balances in both wallets were computed from deposits, transfers,"
                f" trades and open orders; {numbers['balances_wrong']} differ."
            ),
        ),
    )
    return (
        _transfers_arrived(seen, numbers),
        *(
            Promise(
                name=name,
                held=not seen.failure and seen.count(kind) == 0,
                evidence="It could not be asked." if seen.failure else evidence,
            )
            for kind, name, evidence in compared
        ),
        Promise(
            name="It came back by itself, each time",
            held=not seen.failure and seen.exit_code == 0,
            evidence=seen.failure
            or f"{len(seen.kills)} recoveries, the longest {numbers['recovery_s']['max']} s; at"
            f" the end it stopped cleanly on SIGTERM (exit code {seen.exit_code}).",
        ),
        Promise(
            name="The journal verifies",
            held=seen.verified,
            evidence=(
                "Chain, digests, invariants and candles hold after a replay of everything."
                if seen.verified
                else f"seawall journal verify: {seen.verify_said.strip()[-SAID_CHARS:]}"
            ),
        ),
    )


def _transfers_arrived(seen: Seen, numbers: dict[str, Any]) -> Promise:
    wrong = numbers["transfers_lost"] + numbers["transfers_doubled"]
    evidence = (
        f"{numbers['transfers']:,} were acknowledged; {numbers['transfers_lost']} are lost or have"
        f" not arrived, {numbers['transfers_doubled']} are there twice."
    )
    return Promise(
        name="Every transfer between wallets arrived, once",
        held=not seen.failure and not wrong,
        evidence="It could not be asked." if seen.failure else evidence,
    )


def _timeline(seen: Seen) -> Timeline:
    answered = itertools.chain.from_iterable(
        trader.ledger.acknowledged_at_s for trader in seen.traders
    )
    counts = Counter(int(at_s - seen.began_s) for at_s in answered)
    spans: list[Span] = []
    for kill in seen.kills:
        back_s = kill.at_s + kill.down_s
        start_s = back_s - kill.recovery_s
        text = f"killed {kill.when} at {kill.at_s:.1f} s"
        if kill.kills > 1:
            spans.append(Span(from_s=kill.at_s, to_s=start_s, kind="down", text=text))
        spans.append(Span(from_s=start_s, to_s=back_s, kind="recovering", text=text))
    return Timeline(
        duration_s=round(seen.duration_s, 2),
        per_second=tuple(counts[second] for second in range(int(seen.duration_s) + 1)),
        counted="answers per second",
        spans=tuple(spans),
        marks=tuple(
            Mark(at_s=round(kill.at_s, 3), kind="kill", text=f"SIGKILL {kill.when}")
            for kill in seen.kills
        ),
    )


def _tables(seen: Seen) -> tuple[Table, ...]:
    wrong = Table(
        title="What is wrong",
        columns=("kind", "what"),
        rows=tuple((finding.kind.value, finding.text) for finding in seen.findings[:FINDINGS_TOLD]),
    )
    kills = Table(
        title="Kills",
        columns=("round", "at", "when", "kills", "recovery", "down"),
        rows=tuple(_kill_row(number, kill) for number, kill in enumerate(seen.kills, start=1)),
        note=(
            "Recovery is from the process's start until it takes commands; down is from the kill,"
            " with the kills in the midst of a start."
        ),
    )
    traders = Table(
        title="Traders",
        columns=("trader", "orders", "fills", "cancels", "transfers", "refused", "answers missing"),
        rows=tuple(_trader_row(trader.name, trader.ledger) for trader in seen.traders),
    )
    return (wrong, kills, traders) if seen.findings else (kills, traders)


def _kill_row(number: int, kill: Kill) -> tuple[str, ...]:
    times = (f"{kill.recovery_s:.2f} s", f"{kill.down_s:.2f} s")
    return (str(number), f"{kill.at_s:.2f} s", kill.when, str(kill.kills), *times)


def _trader_row(name: str, ledger: Ledger) -> tuple[str, ...]:
    counts = (
        len(ledger.placed),
        ledger.fills,
        len(ledger.canceled),
        len(ledger.transfers),
        len(ledger.refused),
        ledger.unknown,
    )
    return (name, *(f"{count:,}" for count in counts))
