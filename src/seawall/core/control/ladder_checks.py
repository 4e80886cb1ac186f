"""What a ladder must be.  The rule: each stage leads to the next, from the fall-back to open."""

from typing import Final

from seawall.core.control.patterns import is_literal, matches, overlap
from seawall.core.control.runbook_terms import DAY_S, PPM, Place, WrongTermError, within
from seawall.core.control.ways import STAGE_POSTURES, WAYS, Way
from seawall.model import limits
from seawall.model.posture import ServiceKind, Stage
from seawall.model.runbook import GateName, Ladder, Runbook, StageTerms

STAGES: Final = {
    "market": (
        Stage.CANCEL_ONLY, Stage.POST_ONLY, Stage.AUCTION, Stage.OPEN_COLLARED, Stage.OPEN,
    ),
    "withdrawal": (
        Stage.PAUSED, Stage.VERIFY, Stage.CANARY, Stage.LIMITED, Stage.WIDER, Stage.OPEN,
    ),
    "other": (Stage.PAUSED, Stage.VERIFY, Stage.OPEN),
}  # fmt: skip
"""The stages of each ladder, in their order; the first and the last must stand in it."""

_KIND: Final = {
    "market": ServiceKind.MARKET,
    "withdrawal": ServiceKind.WITHDRAWAL,
    "other": ServiceKind.TRANSFERS,
}
_AFTER: Final = {GateName.CANARY_SETTLED: Stage.CANARY, GateName.AUCTION_READY: Stage.AUCTION}
"""Gates that only a certain stage can bring to pass."""
_WITHDRAWALS_ONLY: Final = (GateName.HOT_WALLET_COVERS,)


def check_ladders(runbook: Runbook) -> None:
    for name, ladder in (
        ("market", runbook.market),
        ("withdrawal", runbook.withdrawal),
        ("other", runbook.other),
    ):
        within((name, "healthy_s"), ladder.healthy_s, 0, DAY_S)
        within((name, "fresh_s"), ladder.fresh_s, 1, DAY_S)
        _check_needs(runbook, name, ladder)
        if ladder.stage:
            _check_stages(name, ladder)
            _check_users(runbook, name, ladder)


def _check_needs(runbook: Runbook, name: str, ladder: Ladder) -> None:
    for at, need in enumerate(ladder.needs):
        place = (name, "needs", at)
        pattern = need
        if name != "market":
            pattern = pattern.replace("{asset}", "*").replace("{network}", "*")
        if not need or len(need) > limits.DEPENDENCY_CHARS or "{" in pattern or "}" in pattern:
            raise WrongTermError(place, f"needs: {need!r} cannot be filled in for {name}")
        terms = runbook.dependency
        known = [term for term in terms if overlap(term.name, pattern)]
        if is_literal(pattern):
            known = [term for term in terms if matches(term.name, pattern)]
        if not known:
            raise WrongTermError(place, f"needs: no dependency is {need}")


def _check_stages(name: str, ladder: Ladder) -> None:
    order = STAGES[name]
    before = -1
    for at, terms in enumerate(ladder.stage):
        place = (name, "stage", at)
        if terms.stage not in order:
            message = f"stage: {name} has no {terms.stage.value}; only {', '.join(order)}"
            raise WrongTermError((*place, "stage"), message)
        if order.index(terms.stage) <= before:
            message = f"stage: {terms.stage.value} stands after a later one"
            raise WrongTermError((*place, "stage"), message)
        before = order.index(terms.stage)
        _check_stage(place, name, terms)
        _check_gates(place, name, ladder, at)
    if ladder.stage[0].stage is not order[0]:
        message = f"stage: the way back begins with {order[0].value}"
        raise WrongTermError((name, "stage", 0, "stage"), message)
    if ladder.stage[-1].stage is not order[-1]:
        message = f"stage: the way back ends with {order[-1].value}"
        raise WrongTermError((name, "stage", len(ladder.stage) - 1, "stage"), message)
    _check_first(name, ladder.stage[0])
    _check_way(name, ladder)
    _check_widths(name, ladder)


def _check_stage(place: Place, name: str, terms: StageTerms) -> None:
    within((*place, "approvals"), terms.approvals, 0, 5)
    within((*place, "at_least_s"), terms.at_least_s, 0, 7 * DAY_S)
    outage, lasts = -1, 0
    for at, (of_at_least_s, so_many_s) in enumerate(terms.by_outage):
        here = (*place, "by_outage", at)
        if of_at_least_s <= outage or so_many_s < lasts:
            raise WrongTermError(
                here, "by_outage: longer outages, and no shorter stages, one by one"
            )
        if of_at_least_s > 365 * DAY_S or so_many_s > 7 * DAY_S:
            raise WrongTermError(here, "by_outage: a stage lasts a week at the most")
        outage, lasts = of_at_least_s, so_many_s
    widths = {
        "per_withdrawal_ppm": terms.per_withdrawal_ppm,
        "per_user_ppm": terms.per_user_ppm,
        "total_ppm": terms.total_ppm,
    }
    for key, ppm in widths.items():
        within((*place, key), ppm, 0, PPM)
        if ppm and terms.stage not in {Stage.LIMITED, Stage.WIDER}:
            raise WrongTermError((*place, key), f"{key}: {terms.stage.value} knows no such limit")
    if terms.stage in {Stage.LIMITED, Stage.WIDER} and not any(widths.values()):
        raise WrongTermError(place, f"{name} {terms.stage.value}: it needs a limit")
    within((*place, "collar_bps"), terms.collar_bps, 0, 10_000)
    if bool(terms.collar_bps) != (terms.stage is Stage.OPEN_COLLARED):
        raise WrongTermError(
            (*place, "collar_bps"), "collar_bps: it makes open_collared, only that"
        )


def _check_gates(place: Place, name: str, ladder: Ladder, at: int) -> None:
    terms = ladder.stage[at]
    before = [earlier.stage for earlier in ladder.stage[:at]]
    for key, gates in (("gates", terms.gates), ("keep", terms.keep)):
        for number, gate in enumerate(gates):
            here = (*place, key, number)
            if gate in gates[:number]:
                raise WrongTermError(here, f"{key}: {gate.value} stands there twice")
            if gate in _WITHDRAWALS_ONLY and name != "withdrawal":
                raise WrongTermError(here, f"{key}: {gate.value} is of withdrawals")
            if gate in _AFTER and _AFTER[gate] not in before:
                message = f"{key}: {gate.value} never passes before {_AFTER[gate].value}"
                raise WrongTermError(here, message)
            if gate is GateName.USERS_HAD_ACCESS and key == "keep":
                raise WrongTermError(here, f"{key}: {gate.value} passes once, and then for good")


def _check_users(runbook: Runbook, name: str, ladder: Ladder) -> None:
    """Refuse to wait for users' reports that no dependency lets in."""
    if any(overlap(terms.name, "users/*") for terms in runbook.dependency):
        return
    for at, terms in enumerate(ladder.stage):
        for key, gates in (("gates", terms.gates), ("keep", terms.keep)):
            if GateName.USER_REPORTS_CALM in gates:
                number = gates.index(GateName.USER_REPORTS_CALM)
                message = f"{key}: user_reports_calm never passes: no dependency is users/*"
                raise WrongTermError((name, "stage", at, key, number), message)


def _check_first(name: str, terms: StageTerms) -> None:
    """Refuse whatever could keep services from falling back to the first stage."""
    if terms.gates or terms.approvals or terms.keep:
        message = f"stage: {terms.stage.value} is the fall-back and has no gates or approvals"
        raise WrongTermError((name, "stage", 0), message)


def _check_way(name: str, ladder: Ladder) -> None:
    """Each stage must be reachable from the one before it."""
    ways = WAYS[_KIND[name]]
    for at in range(1, len(ladder.stage)):
        now = STAGE_POSTURES[ladder.stage[at - 1].stage]
        then = STAGE_POSTURES[ladder.stage[at].stage]
        if now is not then and ways.get((now, then)) is not Way.STAGE:
            message = f"stage: no plan leads from {now.value} to {then.value} at once"
            raise WrongTermError((name, "stage", at, "stage"), message)


def _check_widths(name: str, ladder: Ladder) -> None:
    """`wider` must not be narrower than `limited`."""
    limited: StageTerms | None = None
    for at, terms in enumerate(ladder.stage):
        if terms.stage is Stage.LIMITED:
            limited = terms
        if terms.stage is Stage.WIDER and limited is not None:
            for key, narrow, wide in (
                ("per_withdrawal_ppm", limited.per_withdrawal_ppm, terms.per_withdrawal_ppm),
                ("per_user_ppm", limited.per_user_ppm, terms.per_user_ppm),
                ("total_ppm", limited.total_ppm, terms.total_ppm),
            ):
                if wide and (not narrow or wide < narrow):
                    raise WrongTermError((name, "stage", at, key), f"{key}: wider is not wider")
