"""A control cell at a desk: watchers, gate checkers and people, with their own clock."""

from seawall.core.control.invariants import check_control
from seawall.core.control.machine import commit_control
from seawall.core.control.state import ControlState, digest_control
from seawall.model import control_commands as c
from seawall.model.commands import Lead
from seawall.model.control_rows import Plan, ServiceRow
from seawall.model.events import Event
from seawall.model.ids import AssetCode, Epoch
from seawall.model.posture import PlanStatus, Posture, Stage
from seawall.model.runbook import GateName
from seawall.model.signals import Signal, SignalKind, WatchReport
from seawall.model.watch_facts import Health

SECOND = 1_000_000_000
START = 1_750_000_000 * SECOND
MARKETS = ("market/BTCUSDT", "market/ETHUSDT")
ETH = "withdrawal/ETH/ETHEREUM"
LTC = "withdrawal/LTC/LITECOIN"
SERVICES = (*MARKETS, ETH, LTC, "deposit/ETH/ETHEREUM", "transfers", "sign_in")
WATCHERS = ("amber", "blue", "coral")
DEPENDENCIES = (
    "provider/amber", "cell/spot", "cell/funding", "rpc/ETHEREUM/one", "rpc/LITECOIN/one",
)  # fmt: skip

RUNBOOK = """
version = "desk-1"

[signals]
fresh_s = 5
skew_s = 30

[lease]
seconds = 4
lapse_s = 30

[[dependency]]
name = "provider/*"
ok_after_s = 10

[[dependency]]
name = "*"
down_after_s = 2
ok_after_s = 10

[[rule]]
name = "a provider is lost"
when = "provider/*"
kind = "provider_lost"

[[rule.move]]
services = "withdrawal/*"
to = "paused"

[[rule]]
name = "no leader"
when = "cell/spot"
severity = "critical"
kind = "cell_without_leader"

[[rule.move]]
services = "market/*"
to = "halted"

[[rule.move]]
services = "withdrawal/*"
to = "paused"

[[rule]]
name = "funding is away"
when = "cell/funding"
states = ["down", "unknown"]

[[rule.move]]
services = "transfers"
to = "paused"

[[rule.move]]
services = "deposit/*"
to = "paused"

[market]
needs = ["cell/spot"]
healthy_s = 20
fresh_s = 30

[[market.stage]]
stage = "cancel_only"

[[market.stage]]
stage = "post_only"
gates = ["dependencies_healthy", "replicas_equal"]
by_outage = [[0, 10], [60, 30]]

[[market.stage]]
stage = "auction"
gates = ["users_had_access", "errors_within_budget"]
keep = ["errors_within_budget"]
by_outage = [[0, 10], [60, 60]]

[[market.stage]]
stage = "open_collared"
gates = ["users_had_access", "auction_ready"]
collar_bps = 1000
at_least_s = 20

[[market.stage]]
stage = "open"
gates = ["users_had_access", "latency_within_budget"]

[withdrawal]
needs = ["cell/funding", "rpc/{network}/*"]
healthy_s = 20
fresh_s = 30

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
gates = ["canary_settled", "hot_wallet_covers", "chain_reconciled"]
keep = ["chain_reconciled"]
at_least_s = 10
per_withdrawal_ppm = 1000
per_user_ppm = 5000
total_ppm = 100000

[[withdrawal.stage]]
stage = "wider"
gates = ["users_had_access", "chain_reconciled", "hot_wallet_covers", "user_reports_calm"]
keep = ["chain_reconciled"]
approvals = 2
at_least_s = 20
per_withdrawal_ppm = 10000
per_user_ppm = 50000
total_ppm = 500000

[[withdrawal.stage]]
stage = "open"
gates = ["users_had_access", "hot_wallet_covers", "user_reports_calm"]
approvals = 2

[other]
needs = ["cell/funding"]
healthy_s = 15
fresh_s = 30

[[other.stage]]
stage = "paused"

[[other.stage]]
stage = "open"
gates = ["dependencies_healthy", "ledger_zero_sum"]

[surge]
hours = 10
factor = 10
cover_ppm = 1000000

[cadence]
critical_s = 60
major_s = 120
minor_s = 300
"""

MEASURED = (
    GateName.REPLICAS_EQUAL, GateName.LEDGER_ZERO_SUM, GateName.CHAIN_RECONCILED,
    GateName.STATEMENT_SIGNED, GateName.ERRORS_WITHIN_BUDGET, GateName.LATENCY_WITHIN_BUDGET,
    GateName.AUCTION_READY,
)  # fmt: skip


class Desk:
    """Plays entries into one control cell, checks it after each, and keeps them."""

    services: tuple[str, ...] = SERVICES
    rounds_of: tuple[str, ...] = WATCHERS

    def __init__(self) -> None:
        self.state = ControlState()
        self.now = START
        self.log: list[tuple[int, c.ControlCommand]] = []
        self.bad: dict[str, Health] = {}
        """Dependencies that watchers find otherwise than well."""
        self.failing: dict[str, bool] = {}
        """Gates that checkers measure to fail."""
        self.unmeasured: dict[str, bool] = {}
        """Gates that no checker looks at."""
        self.hot = 10**9
        self.queued = 10**6
        self.users = Health.OK

    def set_up(self) -> None:
        self.play(Lead(epoch=Epoch(1), node="amber"))
        self.play(c.DefineServices(services=self.services))
        self.play(c.AdoptRunbook(text=RUNBOOK, person="ann"))
        assert self.state.book.runbook_person == "ann", "the runbook is in force"
        for place, watcher in enumerate(WATCHERS):
            key = f"{place:064x}"
            self.play(c.RegisterWatcher(watcher=watcher, provider=watcher, key=key, person="ann"))

    def play(self, command: c.ControlCommand, after_ns: int = SECOND // 100) -> list[Event]:
        """Journal one entry a hundredth of a second later."""
        self.now += after_ns
        self.log.append((self.now, command))
        events = commit_control(self.state, command, sequence=len(self.log), at_ns=self.now)
        check_control(self.state)
        return events

    def report(self, watcher: str) -> list[Event]:
        signals = [
            Signal(
                dependency=name,
                kind=SignalKind.PROBE,
                health=self.bad.get(name, Health.OK),
            )
            for name in DEPENDENCIES
        ]
        signals.append(
            Signal(dependency="users/withdraw", kind=SignalKind.USERS, health=self.users)
        )
        report = WatchReport(
            watcher=watcher, number=self.now, observed_ns=self.now, signals=tuple(signals)
        )
        return self.play(c.TakeReport(report=report))

    def measure(self) -> list[Event]:
        """Report all gates, and of each canary that it has settled."""
        readings = [
            c.GateReading(
                gate=gate.value,
                passed=gate.value not in self.failing,
                value="as measured",
                measured_ns=self.now,
            )
            for gate in MEASURED
            if gate.value not in self.unmeasured
        ]
        readings += [
            c.GateReading(
                gate=GateName.CANARY_SETTLED.value,
                scope=row.service,
                passed=True,
                value=f"payment {row.canary} is final",
                measured_ns=self.now,
            )
            for row in self.state.book.services.values()
            if row.canary and GateName.CANARY_SETTLED.value not in self.failing
        ]
        events = self.play(c.ReportGates(reporter="gates", readings=tuple(readings)))
        for service in self.services:
            if service.startswith("withdrawal/"):
                self.cover(*service.split("/")[1:])
        return events

    def cover(self, asset: str, network: str) -> list[Event]:
        return self.play(
            c.ReportCover(
                asset=AssetCode(asset),
                network=network,
                hot_atoms=self.hot,
                queued_atoms=self.queued,
                queued_count=3,
                usual_atoms_per_hour=10**6,
                measured_ns=self.now,
            )
        )

    def second(self) -> None:
        """Let a second pass, with what all report in it."""
        begun = self.now
        for watcher in self.rounds_of:
            self.report(watcher)
        self.measure()
        self.now = begun + SECOND

    def seconds(self, count: int) -> None:
        for _ in range(count):
            self.second()

    def approve_all(self, *people: str) -> None:
        """Let people agree to whatever waits for them."""
        for plan in list(self.state.book.plans.values()):
            if plan.status is PlanStatus.APPROVAL:
                for person in people:
                    self.play(
                        c.ApproveStage(plan_id=plan.plan_id, stage=self.next(plan), person=person)
                    )

    def next(self, plan: Plan) -> Stage:
        ladder = {
            "market": self.state.runbook.market,
            "withdrawal": self.state.runbook.withdrawal,
            "other": self.state.runbook.other,
        }[plan.kind]
        stages = [terms.stage for terms in ladder.stage]
        return stages[stages.index(plan.stages[-1].stage) + 1]

    def row(self, service: str) -> ServiceRow:
        return self.state.book.services[service]

    def plan(self, service: str) -> Plan:
        return self.state.book.plans[self.row(service).plan]

    def postures(self) -> dict[str, Posture]:
        return {name: row.posture for name, row in self.state.book.services.items()}

    def digest(self) -> str:
        return digest_control(self.state)
