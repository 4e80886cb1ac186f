"""Whether the hot wallet stands the run after an outage.  The rule: ask before it is short.

After an outage users take out what they could not, and then what they fear for.  Bybit met 350,000
requests in ten hours, 9.7 a second (2025-02-21); OKEx paid 24,631 BTC on the first day after 41
days of silence (2020-11-26).  docs/operating/reopening.md has the arithmetic.
"""

from seawall.core.control.announcements import say_of_plan
from seawall.core.control.look import SECOND, Look
from seawall.model import limits
from seawall.model.amounts import format_decimal
from seawall.model.control_commands import ReportCover
from seawall.model.control_events import TopUpWanted
from seawall.model.control_rows import Cover, GateResult, Limits, Plan
from seawall.model.events import CommandRejected
from seawall.model.posture import Stage, withdrawal_service
from seawall.model.rejections import Rejection
from seawall.model.runbook import GateName, StageTerms, Surge

PPM = 1_000_000


def take_cover(look: Look, command: ReportCover) -> None:
    """Take what the hot wallet has, and what is asked of it."""
    book = look.book
    key = f"{command.asset}/{command.network}"
    known = book.covers.get(key)
    refusal = None
    if withdrawal_service(command.asset, command.network) not in book.services:
        refusal = CommandRejected(Rejection.UNKNOWN_SERVICE, key)
    elif min(command.queued_atoms, command.queued_count, command.usual_atoms_per_hour) < 0:
        refusal = CommandRejected(Rejection.INVALID_DEFINITION, "less than nothing")
    elif not 0 <= command.decimals <= limits.ASSET_DECIMALS:
        refusal = CommandRejected(Rejection.INVALID_DEFINITION, "decimals")
    elif command.measured_ns > look.now + look.runbook.signals.skew_s * SECOND:
        refusal = CommandRejected(Rejection.REPORT_CLOCK, "measured in the future")
    elif known is not None and command.measured_ns <= known.measured_ns:
        refusal = CommandRejected(Rejection.REPORT_REPEATED, key)
    if refusal is not None:
        look.events.append(refusal)
        return
    book.covers[key] = Cover(
        # Below its floor it can pay nothing.
        hot_atoms=max(command.hot_atoms, 0),
        queued_atoms=command.queued_atoms,
        queued_count=command.queued_count,
        usual_atoms_per_hour=command.usual_atoms_per_hour,
        measured_ns=command.measured_ns,
        decimals=command.decimals,
        top_up_atoms=known.top_up_atoms if known else 0,
        top_up_asked_ns=known.top_up_asked_ns if known else 0,
    )


def forecast_atoms(cover: Cover, surge: Surge) -> int:
    """Return what the queue and the run to be expected take together."""
    return cover.queued_atoms + cover.usual_atoms_per_hour * surge.factor * surge.hours


def needed_atoms(cover: Cover, surge: Surge, stage: Stage) -> int:
    """Return what the hot wallet must be able to pay before the stage is entered.

    Limited, it pays the queue; anything wider invites the run.
    """
    if stage is Stage.LIMITED:
        return cover.queued_atoms
    return -(-forecast_atoms(cover, surge) * surge.cover_ppm // PPM)


def judge_cover(look: Look, service: str, stage: Stage, fresh_s: int) -> GateResult:
    """Return whether the hot wallet covers what the stage lets out."""
    result = GateResult(gate=GateName.HOT_WALLET_COVERS.value)
    cover = look.book.covers.get(cover_key(service))
    if cover is None:
        result.value = "nobody has told"
        return result
    needed = needed_atoms(cover, look.runbook.surge, stage)
    result.measured_ns = cover.measured_ns
    result.value = _amount(service, cover, cover.hot_atoms)
    result.needs = _amount(service, cover, needed)
    if look.now - cover.measured_ns <= fresh_s * SECOND:
        result.passed = cover.hot_atoms >= needed
    else:
        result.value += ", too old"
    return result


def _amount(service: str, cover: Cover, atoms: int) -> str:
    """Return an amount as people write it, with its asset."""
    text = format_decimal(atoms, cover.decimals)
    if cover.decimals:
        text = text.rstrip("0").removesuffix(".")
    return f"{text} {cover_key(service).partition('/')[0]}"


def cover_key(service: str) -> str:
    return service.partition("/")[2]


def limits_of(look: Look, service: str, terms: StageTerms) -> Limits:
    """Return how wide a stage is, of what the hot wallet can pay; never without a limit by zero."""
    cover = look.book.covers.get(cover_key(service))
    hot = cover.hot_atoms if cover is not None else 0
    return Limits(
        per_withdrawal=_share(hot, terms.per_withdrawal_ppm),
        per_user=_share(hot, terms.per_user_ppm),
        total=_share(hot, terms.total_ppm),
    )


def _share(hot: int, ppm: int) -> int:
    """Return a share in atoms; as zero would mean no limit, the least share is one atom."""
    return max(hot * ppm // PPM, 1) if ppm else 0


def ask_for_top_up(look: Look, plan: Plan) -> None:
    """Tell people what to bring from cold storage; early, for they need their time."""
    ladder = look.runbook.withdrawal
    guarded = any(GateName.HOT_WALLET_COVERS in terms.gates for terms in ladder.stage)
    if plan.kind != "withdrawal" or not guarded:
        return
    for service in plan.services:
        cover = look.book.covers.get(cover_key(service))
        if cover is None:
            continue
        needed = needed_atoms(cover, look.runbook.surge, Stage.OPEN)
        missing = max(needed - cover.hot_atoms, 0)
        grown = missing > cover.top_up_atoms * 11 // 10
        again = look.now - cover.top_up_asked_ns >= limits.TOP_UP_ASK_S * SECOND
        if not missing:
            cover.top_up_atoms = 0
            cover.top_up_asked_ns = 0
        elif grown or again:
            cover.top_up_atoms = missing
            cover.top_up_asked_ns = look.now
            asset, _, network = cover_key(service).partition("/")
            look.events.append(TopUpWanted(asset, network, missing))
            text = _amount(service, cover, missing)
            facts = {"asset": asset, "network": network, "amount": text.partition(" ")[0]}
            say_of_plan(look, plan, "top_up_wanted", facts)
