"""The payouts drill's report.  The rule: every number stands beside the promise it judges."""

import itertools
from collections import Counter
from typing import Any, Final

from msgspec import Struct, field

from seawall.lab.drills.base import DrillReport, Mark, Promise, Span, Table, Timeline
from seawall.lab.drills.payouts_audit import Evidence, PayoutFinding, PayoutKind
from seawall.lab.drills.payouts_customer import Customer
from seawall.lab.drills.payouts_world import BLOCK_S, FINALITY, Balance
from seawall.lab.machine import describe_machine

FINDINGS_TOLD: Final = 50
SAID_CHARS: Final = 800
LIMITS: Final = (
    (
        f"No block is replaced that was {FINALITY} deep: an exchange that waits for finality trusts"
        " the chain that far, and so does this drill. Deeper ones are tested in the treasury's own"
        " suite, where they pause the network."
    ),
    (
        "One endpoint: nodes that contradict each other are tested in the treasury's own suite. No"
        " cold storage."
    ),
    (
        "SIGKILL ends a process; the system's page cache survives it. Loss of power is tested in"
        " the journal's own suite."
    ),
    (
        "The seed repeats the drill's choices, not its timing: the kills fall at other moments"
        " each time."
    ),
)


class Blow(Struct, frozen=True, kw_only=True):
    """One round's kill."""

    at_s: float
    down_s: float
    """Until all that was killed answered again."""
    step: str
    """What some withdrawal had just done."""
    victims: tuple[str, ...]


class Outcome(Struct, kw_only=True):
    """What was found at the end."""

    evidence: Evidence | None = None
    findings: list[PayoutFinding] = field(default_factory=list)
    listings: list[Balance] = field(default_factory=list)
    exit_code: int = 0
    verified: bool = False
    verify_said: str = ""
    failure: str = ""
    """Why nothing could be compared."""


class SeenPayouts(Struct, frozen=True, kw_only=True):
    """All that the drill saw."""

    seed: int
    started_at: str
    began_s: float
    duration_s: float
    blows: list[Blow]
    reorganised: list[Mark]
    depths: list[int]
    customers: list[Customer]
    outcome: Outcome

    def count(self, *kinds: PayoutKind) -> int:
        return sum(1 for finding in self.outcome.findings if finding.kind in kinds)


def payouts_report(seen: SeenPayouts) -> DrillReport:
    """Return the report."""
    numbers = _numbers(seen)
    return DrillReport(
        drill="payouts",
        title=f"Payouts drill: {numbers['requested']} withdrawals, killed {numbers['kills']} times",
        about=(
            f"{len(seen.customers)} customers deposited on a development chain and withdrew over"
            " the wallet API, coins and tokens, each withdrawal to an address of its own. Some were"
            " repeated, canceled, above what people must approve, or to payees that refuse coin."
            f" In {len(seen.blows)} rounds the exchange, its signer and the chain's node were"
            " ended with SIGKILL as some withdrawal made a certain step, and started again; the"
            " node came back without its newest blocks and without its mempool. The chain was"
            " reorganised meanwhile, and sometimes did not answer. At the end every block was read"
            " and compared with what the customers had been told."
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


def _numbers(seen: SeenPayouts) -> dict[str, Any]:
    evidence = seen.outcome.evidence
    rows = [row for of in evidence.told.values() for row in of] if evidence else []
    asked = [one for customer in seen.customers for one in customer.asked]
    killed = Counter(name for blow in seen.blows for name in blow.victims)
    return {
        "requested": sum(1 for one in asked if one.number),
        "paid": sum(1 for row in rows if row.paid),
        "returned": sum(1 for row in rows if row.returned),
        "double": seen.count(PayoutKind.DOUBLE),
        "lost": seen.count(PayoutKind.LOST),
        "waiting": seen.count(PayoutKind.WAITING),
        "balances_wrong": seen.count(PayoutKind.BALANCE),
        "unjournaled": seen.count(PayoutKind.UNJOURNALED),
        "refused": sum(1 for one in asked if one.refused),
        "returns": dict(sorted(Counter(row.state for row in rows if row.returned).items())),
        "kills": killed.total(),
        "killed": dict(sorted(killed.items())),
        "kills_at": dict(sorted(Counter(blow.step for blow in seen.blows).items())),
        "reorganisations": {"count": len(seen.depths), "deepest": max(seen.depths, default=0)},
        "answers_missing": sum(customer.unanswered for customer in seen.customers),
        "duration_s": round(seen.duration_s, 1),
    }


def _promises(seen: SeenPayouts, numbers: dict[str, Any]) -> tuple[Promise, ...]:
    outcome = seen.outcome
    once = (
        f"{numbers['requested']:,} were acknowledged: {numbers['paid']:,} stand on chain once and"
        f" {numbers['returned']:,} are back with their owners."
    )
    compared = (
        ("Nothing was paid twice", (PayoutKind.DOUBLE,), f"{once} Twice or unasked: {{}}."),
        ("Nothing was lost", (PayoutKind.LOST,), f"{once} Neither: {{}}."),
        ("Every withdrawal ended", (PayoutKind.WAITING,), "{} still wait."),
        (
            "What was sent had been journaled",
            (PayoutKind.UNJOURNALED,),
            "{} transactions in any branch of the chain are missing in the journal.",
        ),
        (
            "Chain, customers and exchange agree to the last unit",
            (PayoutKind.BALANCE,),
            "Balances were computed from blocks and answers; {} differ.",
        ),
    )
    return (
        *(
            Promise(
                name=name,
                held=not outcome.failure and seen.count(*kinds) == 0,
                evidence="It could not be asked."
                if outcome.failure
                else text.format(seen.count(*kinds)),
            )
            for name, kinds, text in compared
        ),
        *_own_word(seen, numbers),
    )


def _own_word(seen: SeenPayouts, numbers: dict[str, Any]) -> tuple[Promise, ...]:
    """Return what the exchange itself says: it came back, it reconciles, its journal verifies."""
    outcome = seen.outcome
    troubled = [
        f"{listing.asset}: {listing.status}, {listing.reason or listing.difference}"
        for listing in outcome.listings
        if listing.status != "open" or float(listing.difference)
    ]
    return (
        Promise(
            name="Reconciliation agrees, and never paused anything",
            held=not troubled and bool(outcome.listings),
            evidence="; ".join(troubled) or f"{len(outcome.listings)} listings, no difference.",
        ),
        Promise(
            name="Everything came back by itself, each time",
            held=not outcome.failure and outcome.exit_code == 0,
            evidence=outcome.failure
            or f"{numbers['kills']} kills; at the end the exchange stopped cleanly on SIGTERM"
            f" (exit code {outcome.exit_code}).",
        ),
        Promise(
            name="The journal verifies",
            held=outcome.verified,
            evidence=(
                "Chain, digests and invariants hold after a replay of everything."
                if outcome.verified
                else f"seawall journal verify: {outcome.verify_said.strip()[-SAID_CHARS:]}"
            ),
        ),
    )


def _timeline(seen: SeenPayouts) -> Timeline:
    answered = itertools.chain.from_iterable(one.answered_at_s for one in seen.customers)
    counts = Counter(int(at_s - seen.began_s) for at_s in answered)
    return Timeline(
        duration_s=round(seen.duration_s, 2),
        per_second=tuple(counts[second] for second in range(int(seen.duration_s) + 1)),
        counted="answers per second",
        spans=tuple(
            Span(
                from_s=blow.at_s,
                to_s=blow.at_s + blow.down_s,
                kind="down" if "exchange" in blow.victims else "recovering",
                text=f"{' and '.join(blow.victims)} killed at {blow.at_s:.1f} s: {blow.step}",
            )
            for blow in seen.blows
        ),
        marks=(
            *(
                Mark(
                    at_s=round(blow.at_s, 3),
                    kind="kill",
                    text=f"SIGKILL of {' and '.join(blow.victims)}: {blow.step}",
                )
                for blow in seen.blows
            ),
            *seen.reorganised,
        ),
    )


def _tables(seen: SeenPayouts) -> tuple[Table, ...]:
    findings = seen.outcome.findings
    wrong = Table(
        title="What is wrong",
        columns=("kind", "what"),
        rows=tuple((finding.kind.value, finding.text) for finding in findings[:FINDINGS_TOLD]),
    )
    blows = Table(
        title="Kills",
        columns=("round", "at", "some withdrawal had just been", "killed", "down"),
        rows=tuple(
            (
                str(number),
                f"{blow.at_s:.2f} s",
                blow.step,
                ", ".join(blow.victims),
                f"{blow.down_s:.2f} s",
            )
            for number, blow in enumerate(seen.blows, start=1)
        ),
        note=f"Blocks come every {BLOCK_S} s; {FINALITY} of them are final.",
    )
    troubles = Table(
        title="What the chain did",
        columns=("at", "what"),
        rows=tuple((f"{mark.at_s:.2f} s", mark.text) for mark in seen.reorganised),
    )
    return (wrong, blows, troubles) if findings else (blows, troubles)
