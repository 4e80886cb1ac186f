"""A seeded life of the control cell for golden journals.  The rule: every command, in every mood.

Watchers mostly tell that all is well, and at times do not, lie, repeat themselves or have a wrong
clock; gates are measured, people agree, order, hold and say things, some of them twice or absurd.
"""

from collections.abc import Callable

from seawall.core.control.gates import COMPUTED
from seawall.core.control.look import runs
from seawall.core.control.state import ControlState
from seawall.lib.prng import Prng
from seawall.model import control_commands as c
from seawall.model.commands import Checkpoint, Lead, Tick
from seawall.model.ids import AssetCode, Epoch, Sequence
from seawall.model.posture import IncidentPhase, PlanStatus, Posture, Severity, Stage
from seawall.model.runbook import GateName
from seawall.model.signals import Signal, SignalKind, WatchReport
from seawall.model.watch_facts import Health

S = 1_000_000_000
PEOPLE = ("ann", "bob", "Bob", "سارة", "")
WATCHERS = (("amber", "amber"), ("blue", "blue"), ("coral", "coral"), ("coral-2", "coral"))
SERVICES = (
    "market/BTCUSDT",
    "market/ETHUSDT",
    "withdrawal/ETH/ETH",
    "withdrawal/USDT/ETH",
    "deposit/ETH/ETH",
    "transfers",
    "sign_in",
)
DEPENDENCIES = (
    "provider/amber",
    "provider/blue",
    "cell/spot",
    "cell/funding",
    "cell/control",
    "cell/identity",
    "rpc/ETH/one",
    "users/withdrawals",
)
RUNBOOK = """
version = "golden-{number}"

[signals]
fresh_s = 10
skew_s = 20

[lease]
seconds = 4
lapse_s = 30
witnesses = {witnesses}

[[dependency]]
name = "provider/*"
quorum = 2
down_after_s = 1
ok_after_s = 10

[[dependency]]
name = "*"
quorum = 2
down_after_s = 2
ok_after_s = 8

[[rule]]
name = "a provider is lost"
when = "provider/*"
kind = "provider_lost"

[[rule.move]]
services = "withdrawal/*"
to = "paused"

[[rule]]
name = "spot has no leader"
when = "cell/spot"
states = ["down", "unknown"]
severity = "critical"
kind = "cell_without_leader"

[[rule.move]]
services = "market/*"
to = "cancel_only"

[market]
needs = ["cell/spot"]
healthy_s = 8
fresh_s = 60

[[market.stage]]
stage = "cancel_only"

[[market.stage]]
stage = "post_only"
gates = ["dependencies_healthy", "ledger_zero_sum"]
keep = ["dependencies_healthy"]
by_outage = [[0, 5], [60, 20]]

[[market.stage]]
stage = "auction"
gates = ["users_had_access"]
at_least_s = 5

[[market.stage]]
stage = "open_collared"
gates = ["users_had_access", "auction_ready"]
collar_bps = 500
at_least_s = 5

[[market.stage]]
stage = "open"
gates = ["users_had_access"]

[withdrawal]
needs = ["cell/funding"]
healthy_s = 8
fresh_s = 60

[[withdrawal.stage]]
stage = "paused"

[[withdrawal.stage]]
stage = "verify"
gates = ["dependencies_healthy"]

[[withdrawal.stage]]
stage = "canary"
gates = ["replicas_equal", "ledger_zero_sum", "chain_reconciled", "statement_signed"]

[[withdrawal.stage]]
stage = "limited"
gates = ["canary_settled", "hot_wallet_covers"]
keep = ["ledger_zero_sum"]
at_least_s = 5
per_withdrawal_ppm = 10000
per_user_ppm = 20000
total_ppm = 300000

[[withdrawal.stage]]
stage = "wider"
gates = ["users_had_access", "hot_wallet_covers", "user_reports_calm"]
approvals = 2
at_least_s = 5
per_withdrawal_ppm = 50000
per_user_ppm = 90000
total_ppm = 700000

[[withdrawal.stage]]
stage = "open"
gates = ["users_had_access", "hot_wallet_covers"]
approvals = 2

[other]
needs = []
healthy_s = 8
fresh_s = 60

[[other.stage]]
stage = "paused"

[[other.stage]]
stage = "open"
gates = ["ledger_zero_sum"]

[surge]
hours = 2
factor = 2
cover_ppm = 500000

[cadence]
critical_s = 60
major_s = 120
minor_s = 240
"""


def runbook(number: int, witnesses: int = 0) -> str:
    return RUNBOOK.format(number=number, witnesses=witnesses)


def opening() -> list[c.ControlCommand]:
    """Return what sets the cell up."""
    found: list[c.ControlCommand] = [
        Lead(epoch=Epoch(1), node="golden"),
        c.AdoptRunbook(text=runbook(1), person="ann"),
    ]
    for number, (watcher, provider) in enumerate(WATCHERS, start=1):
        key = f"{number:02x}" * 32
        command = c.RegisterWatcher(watcher=watcher, provider=provider, key=key, person="ann")
        found.append(command)
    found.append(c.DefineServices(services=SERVICES, postures={"market/ETHUSDT": Posture.HALTED}))
    return found


class ControlFlow:
    """Draws the next command from the state as it is."""

    def __init__(self, seed: int, state: ControlState) -> None:
        self.prng = Prng(seed)
        self.state = state
        self.now_ns = 0
        """Moment of the entry that is drawn."""
        self._trouble = 0
        self._draws: tuple[Callable[[], c.ControlCommand], ...] = (
            *[self._report] * 40,
            *[self._measure] * 20,
            *[self._agree] * 16,
            *[self._cover] * 6,
            *[self._state_books] * 6,
            self._order,
            self._people,
            self._plans,
            self._maintenance,
            self._set_up,
            self._observe,
            *[self._time] * 3,
        )

    def next(self) -> c.ControlCommand:
        return self.prng.choice(self._draws)()

    def _person(self) -> str:
        return self.prng.choice(PEOPLE)

    def _report(self) -> c.ControlCommand:
        prng = self.prng
        if prng.chance(1, 300):
            self._trouble = prng.between(5, 60)
        self._trouble = max(0, self._trouble - 1)
        watcher = prng.choice([*(name for name, _ in WATCHERS)] * 5 + ["nobody"])
        known = self.state.book.watchers.get(watcher)
        number = (known.number if known else 0) + prng.choice([1] * 12 + [0, 7])
        bad = DEPENDENCIES[self._trouble % 3] if self._trouble else ""
        signals = []
        for dependency in DEPENDENCIES:
            kind = SignalKind.PROBE
            if dependency.startswith("users/"):
                kind = SignalKind.USERS
            elif dependency.startswith("cell/"):
                kind = SignalKind.OWN
            health = Health.DOWN if dependency == bad else Health.OK
            if prng.chance(1, 400):
                health = prng.choice(list(Health))
            signals.append(Signal(dependency=dependency, kind=kind, health=health, detail="seen"))
        off_ns = prng.choice([0] * 40 + [-5 * S, 25 * S, -60 * S])
        report = WatchReport(
            watcher=watcher,
            number=number,
            observed_ns=self.now_ns + off_ns,
            signals=tuple(signals[: prng.choice([3, 8, 8, 8, 8, 8])]),
        )
        return c.TakeReport(report=report)

    def _measure(self) -> c.ControlCommand:
        prng = self.prng
        readings = []
        for gate in GateName:
            if gate in COMPUTED and not prng.chance(1, 400):
                continue
            scope = prng.choice(["", "", "", *SERVICES])
            value = "as it should be"
            if gate is GateName.CANARY_SETTLED:
                rows = [row for row in self.state.book.services.values() if row.canary]
                if rows:
                    row = prng.choice(rows)
                    scope, value = row.service, row.canary
            readings.append(
                c.GateReading(
                    gate=gate,
                    scope=scope,
                    passed=prng.chance(60, 61),
                    value=value,
                    measured_ns=self.now_ns - prng.below(2 * S),
                    evidence=f"{prng.bits64():016x}",
                )
            )
        return c.ReportGates(reporter="golden", readings=tuple(readings))

    def _agree(self) -> c.ControlCommand:
        prng = self.prng
        plans = list(self.state.book.plans.values())
        asked = [plan for plan in plans if plan.status is PlanStatus.APPROVAL] or plans[-3:]
        number = prng.choice(asked).plan_id if asked else 1
        wide = [row.stages[-1].stage for row in asked if row.plan_id == number and row.stages]
        stage = Stage.WIDER if Stage.LIMITED in wide or prng.chance(1, 8) else Stage.OPEN
        return c.ApproveStage(plan_id=number, stage=stage, person=self._person())

    def _cover(self) -> c.ControlCommand:
        prng = self.prng
        return c.ReportCover(
            asset=AssetCode(prng.choice(["ETH", "USDT"])),
            network="ETH",
            hot_atoms=100 * prng.between(0, 10**18),
            queued_atoms=prng.between(0, 10**18),
            queued_count=prng.below(50),
            usual_atoms_per_hour=prng.between(0, 10**18),
            measured_ns=self.now_ns - prng.below(S),
        )

    def _state_books(self) -> c.ControlCommand:
        return c.RecordStatement(
            statement='{"sum":"0"}',
            signature="ab" * 64,
            public_key="cd" * 32,
            measured_ns=self.now_ns - self.prng.below(3 * S),
        )

    def _order(self) -> c.ControlCommand:
        prng = self.prng
        return c.OrderPosture(
            services=(prng.choice([*SERVICES, "market/*", "nothing/*"]),),
            posture=prng.choice(list(Posture)),
            reason=prng.choice(["by hand", ""]),
            person=self._person(),
            severity=prng.choice(list(Severity)),
        )

    def _people(self) -> c.ControlCommand:
        prng = self.prng
        number = prng.between(1, max(1, self.state.book.next_incident))
        match prng.below(4):
            case 0:
                return c.OpenIncident(
                    severity=prng.choice(list(Severity)),
                    services=(prng.choice(SERVICES),),
                    title_en="something",
                    title_ar=prng.choice(["", "شيء ما"]),
                    person=self._person(),
                )
            case 1 | 2:
                return c.UpdateIncident(
                    incident=number,
                    words_en=prng.choice(["", "we look at it"]),
                    phase=prng.choice([None, *IncidentPhase]),
                    severity=prng.choice([None, *Severity]),
                    person=self._person(),
                )
            case _:
                return c.ResolveIncident(incident=number, words_en="over", person=self._person())

    def _plans(self) -> c.ControlCommand:
        prng = self.prng
        running = [plan.plan_id for plan in self.state.book.plans.values() if runs(plan)]
        number = prng.choice([*running, 1, self.state.book.next_plan])
        match prng.below(4):
            case 0:
                return c.StartPlan(services=(prng.choice(SERVICES),), person=self._person())
            case 1:
                return c.StepBack(plan_id=number, reason="by hand", person=self._person())
            case _:
                held = prng.chance(1, 3)
                return c.HoldPlan(
                    plan_id=number, held=held, reason="by hand", person=self._person()
                )

    def _maintenance(self) -> c.ControlCommand:
        prng = self.prng
        if prng.chance(1, 2):
            begins_ns = self.now_ns + prng.choice([-S, 60 * S])
            return c.ScheduleMaintenance(
                title_en=prng.choice(["an upgrade", ""]),
                services=(prng.choice(SERVICES),),
                begins_ns=begins_ns,
                ends_ns=begins_ns + 600 * S,
                person=self._person(),
            )
        return c.UpdateMaintenance(
            maintenance=prng.between(1, max(1, self.state.book.next_maintenance)),
            words_en="going on",
            completed=prng.chance(1, 3),
            person=self._person(),
        )

    def _set_up(self) -> c.ControlCommand:
        prng = self.prng
        match prng.below(6):
            case 0:
                witnesses = prng.choice([0, 0, 1, 2])
                text = prng.choice([runbook(prng.below(9), witnesses), "version = 1", "no TOML ["])
                return c.AdoptRunbook(text=text, person=self._person())
            case 1:
                return c.RemoveWatcher(watcher="coral-2", person=self._person())
            case 2:
                key = prng.choice(["ef" * 32, "short"])
                return c.RegisterWatcher(
                    watcher="coral-2", provider="coral", key=key, person=self._person()
                )
            case _:
                some = tuple(name for name in SERVICES if prng.chance(14, 15))
                return c.DefineServices(services=prng.choice([SERVICES, SERVICES, some]))

    def _observe(self) -> c.ControlCommand:
        prng = self.prng
        name = prng.choice(SERVICES)
        row = self.state.book.services.get(name)
        return c.ObservePosture(
            service=name,
            posture=prng.choice(list(Posture)),
            reason="seen so",
            by=prng.choice(["reconciliation", "ann"]),
            order=(row.order if row else 0) + prng.choice([0, 0, 0, 1, -1]),
        )

    def _time(self) -> c.ControlCommand:
        prng = self.prng
        if prng.chance(1, 20):
            return Lead(epoch=Epoch(self.state.epoch + 1), node="golden")
        if prng.chance(1, 10):
            return Checkpoint(sequence=Sequence(self.state.sequence), digest="golden")
        return Tick()
