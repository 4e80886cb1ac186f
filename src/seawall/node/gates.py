"""What the node measures for the gates of a way back.  The rule: facts of now, with their evidence.

A reading says what was found and when; whether it is enough is the control cell's to judge.  What
cannot be measured is not told: a gate without a reading does not pass.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Final

from msgspec import Struct

from seawall.core.funding_state import FundingState
from seawall.core.market_status import is_crossed
from seawall.core.spot_state import SpotState
from seawall.core.withdrawals import hot_cover
from seawall.model.amounts import format_decimal
from seawall.model.control_commands import GateReading, ReportCover
from seawall.model.control_rows import ControlBook, Plan, ServiceRow
from seawall.model.funding import CanaryState, WithdrawalState
from seawall.model.funding_rows import Canary, ListingState
from seawall.model.ids import AssetCode
from seawall.model.posture import PlanStatus, ServiceKind, service_kind
from seawall.model.runbook import GateName
from seawall.model.trading import MarketStatus
from seawall.node.statement import AssetLine, Signed

USUAL_HOURS: Final = 7 * 24
"""Over so long the usual outflow is averaged."""
USUAL_ROWS: Final = 100_000
"""Withdrawals looked through for it, from the newest."""
HOUR_NS: Final = 3_600_000_000_000
_SHOWN: Final = 3
_ENDED: Final = (PlanStatus.DONE, PlanStatus.ABANDONED)


class Budget(Struct, frozen=True, kw_only=True):
    """What one gateway answered lately."""

    answers: int
    failed: int
    """With a 5xx."""
    p99_us: int
    """Of orders; of all answers where there were none.  The upper end of a bucket."""
    span_s: int


class Replica(Struct, frozen=True, kw_only=True):
    """One node's digest of a cell after an agreed entry."""

    node: str
    cell: str
    sequence: int
    digest: str


def running_plans(control: ControlBook) -> list[Plan]:
    return [plan for plan in control.plans.values() if plan.status not in _ENDED]


def planned_services(control: ControlBook, kind: ServiceKind) -> list[ServiceRow]:
    """Return the services of a kind that plans lead back now."""
    named = [name for plan in running_plans(control) for name in plan.services]
    rows = [control.services.get(name) for name in dict.fromkeys(named)]
    return [row for row in rows if row is not None and service_kind(row.service) is kind]


# Readings


def replicas_equal(
    replicas: list[Replica], voters: int, cells: int, measured_ns: int
) -> GateReading | None:
    """Compare what the nodes have after the same entries; None while too few have answered."""
    by_cell: dict[str, dict[str, str]] = {}
    for each in replicas:
        by_cell.setdefault(each.cell, {})[each.node] = each.digest
    fewest = min((len(nodes) for nodes in by_cell.values()), default=0)
    differing = [cell for cell, nodes in by_cell.items() if len(set(nodes.values())) > 1]
    if not differing and (len(by_cell) < cells or fewest < voters // 2 + 1):
        return None
    seen = {each.cell: each.sequence for each in replicas}
    at = ", ".join(f"{cell} at {sequence}" for cell, sequence in seen.items())
    if differing:
        value = f"the replicas of {', '.join(differing)} differ ({at})"
    else:
        value = f"{fewest} of {voters} replicas have the same state: {at}"
    evidence = " ".join(f"{cell}:{next(iter(nodes.values()))}" for cell, nodes in by_cell.items())
    return GateReading(
        gate=GateName.REPLICAS_EQUAL,
        passed=not differing,
        value=value,
        measured_ns=measured_ns,
        evidence=evidence,
    )


def ledger_zero_sum(
    lines: tuple[AssetLine, ...], disagreements: list[str], measured_ns: int
) -> GateReading | None:
    """Say whether each asset sums to zero over all accounts, and the cells agree on transfers."""
    if not lines:
        return None
    wrong = [f"{line.asset} sums to {line.sum}" for line in lines if int(line.sum)]
    wrong += disagreements
    assets = ", ".join(line.asset for line in lines)
    value = "; ".join(wrong[:_SHOWN]) if wrong else f"each sums to zero: {assets}"
    return GateReading(
        gate=GateName.LEDGER_ZERO_SUM, passed=not wrong, value=value, measured_ns=measured_ns
    )


def chain_reconciled(control: ControlBook, funding: FundingState) -> list[GateReading]:
    """Tell the last comparison with the chain, for each listing whose withdrawals come back."""
    found = []
    for row in planned_services(control, ServiceKind.WITHDRAWAL):
        listing = _listing(funding, row)
        if listing is None or listing.reconciled_ns == 0:
            continue
        decimals = funding.book.assets[listing.listing.asset].decimals
        difference = format_decimal(listing.difference, decimals)
        at = f"block {listing.reconciled_block}"
        found.append(
            GateReading(
                gate=GateName.CHAIN_RECONCILED,
                scope=row.service,
                passed=listing.difference == 0,
                value=f"chain minus ledger is {difference} at {at}",
                measured_ns=listing.reconciled_ns,
                evidence=at,
            )
        )
    return found


def canary_settled(control: ControlBook, funding: FundingState) -> list[GateReading]:
    """Tell which payments to itself the exchange has seen settle; one under way is not told."""
    found = []
    for row in planned_services(control, ServiceKind.WITHDRAWAL):
        canary = funding.book.canaries.get(row.canary) if row.canary else None
        if canary is None or not canary.state.ended:
            continue
        settled = canary.state is CanaryState.SETTLED
        found.append(
            GateReading(
                gate=GateName.CANARY_SETTLED,
                scope=row.service,
                passed=settled,
                value=f"{canary.key}: {_canary_words(funding, canary)}",
                measured_ns=canary.updated_ns,
                evidence=canary.tx_id,
            )
        )
    return found


def _canary_words(funding: FundingState, canary: Canary) -> str:
    amount = format_decimal(canary.atoms, funding.book.assets[canary.asset].decimals)
    if canary.state is CanaryState.SETTLED:
        return f"{amount} {canary.asset} arrived on {canary.network}"
    return f"it was not paid: {canary.reason}"


def auction_ready(control: ControlBook, spot: SpotState, measured_ns: int) -> list[GateReading]:
    """Tell whether an auction that lasts would find a price, or is not needed to uncross."""
    found = []
    for row in planned_services(control, ServiceKind.MARKET):
        market = spot.markets.get(row.service.partition("/")[2])
        if market is None or market.status is not MarketStatus.AUCTION:
            continue
        ticks, lots, _ = market.indicative
        crossed = is_crossed(market)
        price = format_decimal(
            ticks * market.instrument.tick_price, market.instrument.price_decimals
        )
        size = format_decimal(lots * market.instrument.lot_size, market.instrument.base_decimals)
        value = f"indicative {size} at {price}" if lots else "nothing would trade"
        found.append(
            GateReading(
                gate=GateName.AUCTION_READY,
                scope=row.service,
                passed=lots > 0 or not crossed,
                value=f"{value}; the book is {'crossed' if crossed else 'not crossed'}",
                measured_ns=measured_ns,
            )
        )
    return found


def statement_signed(signed: Signed, problems: list[str], measured_ns: int) -> GateReading:
    return GateReading(
        gate=GateName.STATEMENT_SIGNED,
        passed=not problems,
        value="; ".join(problems[:_SHOWN]) or f"signed by {signed.public_key[:16]}",
        measured_ns=measured_ns,
        evidence=signed.hash,
    )


def within_budget(
    budget: Budget, *, errors_ppm: int, p99_us: int, measured_ns: int
) -> list[GateReading]:
    """Judge what a gateway answered lately; nothing is told of one that nobody asked."""
    if budget.answers == 0:
        return []
    failed_ppm = budget.failed * 1_000_000 // budget.answers
    return [
        GateReading(
            gate=GateName.ERRORS_WITHIN_BUDGET,
            passed=failed_ppm <= errors_ppm,
            value=f"{budget.failed} of {budget.answers} answers failed in {budget.span_s} s,"
            f" {errors_ppm} in a million may",
            measured_ns=measured_ns,
        ),
        GateReading(
            gate=GateName.LATENCY_WITHIN_BUDGET,
            passed=budget.p99_us <= p99_us,
            value=f"99 of 100 within {budget.p99_us // 1_000} ms, {p99_us // 1_000} ms are allowed",
            measured_ns=measured_ns,
        ),
    ]


def covers(funding: FundingState, measured_ns: int) -> list[ReportCover]:
    """Tell what each hot wallet could pay, and what is asked of it."""
    usual = _usual(funding)
    found = []
    for key, listing in funding.book.listings.items():
        queued = [funding.book.withdrawals[each] for each in listing.queue]
        found.append(
            ReportCover(
                asset=AssetCode(listing.listing.asset),
                network=listing.listing.network,
                hot_atoms=max(hot_cover(funding, listing), 0),
                queued_atoms=sum(each.atoms - each.fee for each in queued),
                queued_count=len(queued),
                usual_atoms_per_hour=usual.get(key, 0),
                measured_ns=measured_ns,
                decimals=funding.book.assets[listing.listing.asset].decimals,
            )
        )
    return found


def _usual(funding: FundingState) -> Mapping[str, int]:
    """Return what users took out per hour of each listing, over the last week."""
    since_ns = funding.at_ns - USUAL_HOURS * HOUR_NS
    sums: dict[str, int] = {}
    for row in islice(reversed(funding.book.withdrawals.values()), USUAL_ROWS):
        if row.requested_ns < since_ns:
            break
        if row.state is WithdrawalState.SETTLED:
            key = f"{row.asset}/{row.network}"
            sums[key] = sums.get(key, 0) + row.atoms - row.fee
    return {key: total // USUAL_HOURS for key, total in sums.items()}


def _listing(funding: FundingState, row: ServiceRow) -> ListingState | None:
    _, asset, network = row.service.split("/")
    return funding.listing(asset, network)
