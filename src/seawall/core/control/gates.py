"""Gates: checks before a stage, and while it lasts.  The rule: what nobody measured has not passed.

A gate is passed (true), has failed (false), or is not known or not yet so (none).  Evidence of the
way back itself must have been measured after the plan's present stage began: last week's proof
opens nothing.  docs/internals/control.md lists what each gate asks.
"""

from seawall.core.control import ladder
from seawall.core.control.cover import judge_cover
from seawall.core.control.look import SECOND, Look
from seawall.core.control.runbook import needs_of
from seawall.model.control_commands import ReportGates
from seawall.model.control_events import GatesReported
from seawall.model.control_rows import GateResult, GateRow, Plan
from seawall.model.events import CommandRejected
from seawall.model.rejections import Rejection
from seawall.model.runbook import GateName, StageTerms
from seawall.model.signals import SignalKind
from seawall.model.watch_facts import TROUBLE, Health

COMPUTED = (
    GateName.DEPENDENCIES_HEALTHY, GateName.USERS_HAD_ACCESS, GateName.USER_REPORTS_CALM,
)  # fmt: skip
"""Concluded here from the journal; nobody can report them."""
EVIDENCE = (
    GateName.STATEMENT_SIGNED, GateName.CANARY_SETTLED, GateName.CHAIN_RECONCILED,
    GateName.LEDGER_ZERO_SUM, GateName.REPLICAS_EQUAL, GateName.AUCTION_READY,
)  # fmt: skip
"""Must be of this incident: measured after the present stage was entered."""
USERS = "users/"
DOUBT = " is in doubt"
_ORDER = {False: 0, None: 1, True: 2}


def take_gates(look: Look, command: ReportGates) -> None:
    """Take what was measured; of each gate and scope the newest counts."""
    latest_ns = look.now + look.runbook.signals.skew_s * SECOND
    for reading in command.readings:
        if reading.gate not in list(GateName) or GateName(reading.gate) in COMPUTED:
            look.events.append(CommandRejected(Rejection.INVALID_DEFINITION, reading.gate))
            return
        if reading.measured_ns > latest_ns:
            look.events.append(CommandRejected(Rejection.REPORT_CLOCK, reading.gate))
            return
    # Nothing below may fail.
    count = 0
    for reading in command.readings:
        if reading.scope and reading.scope not in look.book.services:
            # Delisted meanwhile.
            continue
        key = f"{reading.gate}|{reading.scope}"
        known = look.book.gates.get(key)
        if known is None or reading.measured_ns > known.reading.measured_ns:
            look.book.gates[key] = GateRow(reading=reading, at_ns=look.now)
            count += 1
    look.events.append(GatesReported(command.reporter, count))


def forget_gates(look: Look, removed: list[str]) -> None:
    """Forget what was measured of services that are no more."""
    for name in removed:
        for gate in GateName:
            look.book.gates.pop(f"{gate.value}|{name}", None)
        look.book.covers.pop(name.partition("/")[2], None)


def judge(look: Look, plan: Plan, terms: StageTerms) -> list[GateResult]:
    """Return how each gate before a stage stands; those that it must keep are among them."""
    names = list(dict.fromkeys((*terms.gates, *terms.keep)))
    if terms.per_withdrawal_ppm or terms.per_user_ppm or terms.total_ppm:
        # Without it nobody knows of what the limits are a share.
        names = list(dict.fromkeys((*names, GateName.HOT_WALLET_COVERS)))
    if ladder.lasts_ns(look, plan) and GateName.USERS_HAD_ACCESS not in names:
        names.insert(0, GateName.USERS_HAD_ACCESS)
    return [_judge(look, plan, name, terms) for name in names]


def judge_keep(look: Look, plan: Plan, terms: StageTerms) -> GateResult | None:
    """Return the first gate of the present stage that does not pass any more."""
    for name in terms.keep:
        if name is GateName.DEPENDENCIES_HEALTHY:
            continue
        if name is GateName.HOT_WALLET_COVERS:
            result = _worst(_covers(look, plan, terms))
        elif name is GateName.USER_REPORTS_CALM:
            result = _reports_calm(look, plan)
        elif name is GateName.USERS_HAD_ACCESS:
            continue
        else:
            result = _readings(look, plan, name, after_ns=0)
        if not result.passed:
            return result
    return None


def _judge(look: Look, plan: Plan, name: GateName, terms: StageTerms) -> GateResult:
    if name is GateName.DEPENDENCIES_HEALTHY:
        return dependencies_healthy(look, plan)
    if name is GateName.USERS_HAD_ACCESS:
        return _had_access(look, plan)
    if name is GateName.USER_REPORTS_CALM:
        return _reports_calm(look, plan)
    if name is GateName.HOT_WALLET_COVERS and plan.kind == "withdrawal":
        return _worst(_covers(look, plan, terms))
    after_ns = plan.stages[-1].entered_ns if name in EVIDENCE else 0
    return _readings(look, plan, name, after_ns=after_ns)


def dependencies_healthy(look: Look, plan: Plan) -> GateResult:
    """Return whether all that the services need has been well for long enough.

    Counted from the way back's beginning: what was well before the trouble says nothing of it.
    """
    terms = look.ladder(plan.kind)
    result = GateResult(gate=GateName.DEPENDENCIES_HEALTHY.value, needs=f"{terms.healthy_s} s")
    since_ns = 0
    doubted = ""
    begun_ns = ladder.begun_ns(look, plan)
    for pattern in _needs(look, plan.services):
        need = look.need(pattern)
        result.measured_ns = look.now
        if need.health is not Health.OK:
            result.passed = False
            result.value = f"{need.dependency} is {need.health.value}"
            return result
        if need.doubted:
            doubted = doubted or need.dependency
        since_ns = max(since_ns, need.since_ns, begun_ns)
    if doubted:
        # A silence is no health: nobody said in it that all was well.
        result.value = f"{doubted}{DOUBT}"
        return result
    well_s = (look.now - since_ns) // SECOND
    result.value = f"{well_s} s" if since_ns else "nothing is needed"
    result.passed = True if not since_ns or well_s >= terms.healthy_s else None
    return result


def _needs(look: Look, services: list[str]) -> list[str]:
    """Return the patterns of what the services need, each once."""
    filled: dict[str, None] = {}
    for service in services:
        for pattern in needs_of(look.runbook, service):
            filled[pattern] = None
    return list(filled)


def _had_access(look: Look, plan: Plan) -> GateResult:
    lasted_ns = look.now - plan.stages[-1].entered_ns
    needed_ns = ladder.lasts_ns(look, plan)
    return GateResult(
        gate=GateName.USERS_HAD_ACCESS.value,
        passed=True if lasted_ns >= needed_ns else None,
        value=f"{lasted_ns // SECOND} s",
        needs=f"{needed_ns // SECOND} s",
        measured_ns=look.now,
    )


def _reports_calm(look: Look, plan: Plan) -> GateResult:
    """Return whether users report no more trouble than usual.

    No watcher who says so is no calm: who cannot reach the exchange cannot report either.
    """
    result = GateResult(gate=GateName.USER_REPORTS_CALM.value, value="nobody counts them")
    oldest_ns = look.now - look.ladder(plan.kind).fresh_s * SECOND
    for name, words in look.told(USERS):
        for word in words.values():
            if word.kind is not SignalKind.USERS or word.at_ns < oldest_ns:
                continue
            result.measured_ns = max(result.measured_ns, word.at_ns)
            if word.health in TROUBLE:
                result.passed = False
                result.value = f"{name} is {word.health.value}: {word.detail}"
                return result
            if word.health is Health.OK:
                result.passed = True
                result.value = "as usual"
    return result


def _covers(look: Look, plan: Plan, terms: StageTerms) -> list[GateResult]:
    fresh_s = look.ladder(plan.kind).fresh_s
    return [judge_cover(look, service, terms.stage, fresh_s) for service in plan.services]


def _readings(look: Look, plan: Plan, name: GateName, *, after_ns: int) -> GateResult:
    """Return the worst of what was measured for the plan's services."""
    seen: dict[str, None] = {}
    results = []
    for service in plan.services:
        key = f"{name.value}|{service}"
        if key not in look.book.gates:
            key = f"{name.value}|"
        if key in seen:
            continue
        seen[key] = None
        row = look.book.gates.get(key)
        result = _reading(look, plan, name, row, after_ns)
        if result.passed and name is GateName.CANARY_SETTLED:
            _check_key(look, service, result)
        results.append(result)
    return _worst(results)


def _reading(
    look: Look, plan: Plan, name: GateName, row: GateRow | None, after_ns: int
) -> GateResult:
    fresh_s = look.ladder(plan.kind).fresh_s
    result = GateResult(gate=name.value, needs=f"not older than {fresh_s} s")
    if row is None:
        result.value = "nobody has measured"
        return result
    reading = row.reading
    result.value = reading.value
    result.measured_ns = reading.measured_ns
    result.evidence = reading.evidence
    # A checker whose clock runs ahead has measured no later than the journal heard of it.
    if min(reading.measured_ns, row.at_ns) <= after_ns:
        result.needs = "measured in this stage"
    elif name is GateName.CANARY_SETTLED:
        # What is final stays so: the payment is known by its key, however long the rest takes.
        result.needs = "the payment of this stage"
        result.passed = reading.passed
    elif look.now - reading.measured_ns <= fresh_s * SECOND:
        result.passed = reading.passed
    return result


def _check_key(look: Look, service: str, result: GateResult) -> None:
    """Let pass only the very payment that this plan asked for."""
    row = look.book.services.get(service)
    key = row.canary if row is not None else ""
    words = [word.strip(".,;:()") for word in (*result.value.split(), *result.evidence.split())]
    if not key or key not in words:
        result.passed = None
        result.needs = f"payment {key}"


def _worst(results: list[GateResult]) -> GateResult:
    return min(results, key=lambda result: _ORDER[result.passed])
