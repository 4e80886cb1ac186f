"""The incident drill.  The rule: nobody at the exchange does more than agree, and two do.

A cluster with watchers, money on a chain and a published status site serves traders and savers.
Something dies; the drill then only looks, approves where people are asked, and heals.  What was
promised is measured from outside, and held against the replayed journals at the end.
"""

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from seawall.journal.port import JournalError
from seawall.lab.drills.base import Drill, DrillError, DrillOptions, DrillReport
from seawall.lab.drills.incident_audit import Record, money_problems, read_record
from seawall.lab.drills.incident_report import Happened, Ran, incident_report
from seawall.lab.drills.incident_scenarios import SCENARIOS, SHORT, Scenario
from seawall.lab.drills.incident_seen import Onlooker
from seawall.lab.drills.incident_users import Notes, Saver, Trader, User
from seawall.lab.drills.incident_world import OPERATORS, IncidentWorld
from seawall.lab.etcd import EtcdLabError
from seawall.lab.local_state import ClusterError
from seawall.lab.machine import now_text
from seawall.lab.netns import NetworkError, can_make_namespaces
from seawall.lab.progress import Progress
from seawall.lab.wire import BrokenError
from seawall.lib.invariants import InvariantError
from seawall.lib.prng import Prng
from seawall.model.posture import PlanStatus, Posture, ServiceKind
from seawall.model.status_document import StatusDocument

STEPS: Final = 5
WELL_S: Final = 3.0
"""How long all is well before the fault, once a first withdrawal was paid."""
FIRST_S: Final = 120.0
STOPPED_S: Final = 30.0
BACK_S: Final = 400.0
END_S: Final = 10.0
SETTLED_S: Final = 30.0
SAVE_S: Final = 0.25
APPROVE_S: Final = 0.2
TRADERS: Final = 3
LOGS: Final = "logs"


class _IncidentDrill:
    """One run."""

    def __init__(self, scenario: Scenario, seed: int, folder: Path, progress: Progress) -> None:
        self.scenario = scenario
        self.seed = seed
        self.folder = folder
        self.progress = progress
        self.world = IncidentWorld(folder)
        self.notes = Notes()
        self.happened: list[Happened] = []
        self.traders: list[Trader] = []
        self.saver: Saver | None = None
        self.onlooker: Onlooker | None = None
        self.hurt_s = 0.0
        self.hurt_ns = 0

    async def run(self) -> DrillReport:
        """Run it all, read the journals, and report."""
        prng = Prng(self.seed)
        failure, record, lost = "", None, [""]
        started_at, began_s = now_text(), time.monotonic()
        try:
            self.progress("starting three providers, a chain and watchers", 0, STEPS)
            await self.world.start()
            began_s = time.monotonic()
            record, lost = await self._go_through(prng)
        except (ClusterError, EtcdLabError, NetworkError) as error:
            if not self.hurt_s:
                raise DrillError(str(error)) from error
            failure = str(error)
        except ExceptionGroup as group:
            first = group.exceptions[0]
            if not self.hurt_s:
                raise DrillError(f"it was not well before anything was hurt: {first!r}") from group
            failure = f"{type(first).__name__}: {first}"
        except (TimeoutError, BrokenError, JournalError, InvariantError) as error:
            if not self.hurt_s:
                raise DrillError(f"it was not well before anything was hurt: {error!r}") from error
            failure = f"{type(error).__name__}: {error}"
        finally:
            ended_s = time.monotonic()
            if self.onlooker is not None:
                await self.onlooker.stop()
            await asyncio.to_thread(_keep_logs, self.folder, self.folder / LOGS)
            await self.world.stop()
        return incident_report(
            Ran(
                scenario=self.scenario,
                seed=self.seed,
                started_at=started_at,
                began_s=began_s,
                ended_s=ended_s,
                hurt_s=self.hurt_s,
                hurt_ns=self.hurt_ns,
                happened=tuple(self.happened),
                changes=tuple(self.onlooker.changes) if self.onlooker else (),
                posted_s=dict(self.onlooker.posted_s) if self.onlooker else {},
                notes=self.notes,
                record=record,
                lost=tuple(filter(None, lost)),
                failure=failure,
            )
        )

    async def _go_through(self, prng: Prng) -> tuple[Record, list[str]]:
        """Let the day happen; return what the journals hold, and what is lost."""
        world = self.world
        self.onlooker = Onlooker(world.gateways, world.sites)
        self.onlooker.start()
        await self._hire(prng)
        async with asyncio.TaskGroup() as work:
            working = [work.create_task(trader.trade()) for trader in self.traders]
            if self.saver is not None:
                working.append(work.create_task(self.saver.save(SAVE_S)))
            agreeing = work.create_task(self._agree())
            try:
                await self._day()
            finally:
                for user in self._users():
                    user.stopping = True
                await asyncio.wait(working, timeout=END_S)
                for task in (*working, agreeing):
                    task.cancel()
        self.progress("comparing", STEPS, STEPS)
        return await self._compare()

    async def _day(self) -> None:
        scenario, world = self.scenario, self.world
        self.progress("all is well", 1, STEPS)
        await self._first_paid()
        # What a slow start may have closed comes back first.
        if not await self._seen(_all_open, BACK_S):
            raise ClusterError("not all services were open before anything was hurt")
        await asyncio.sleep(WELL_S)
        self.hurt_ns, self.hurt_s = time.time_ns(), time.monotonic()
        self._say("fault", await scenario.hurt(world))
        self.progress("something died", 2, STEPS)
        healing = asyncio.create_task(self._heal_early()) if scenario.heal_first else None
        half_way = asyncio.create_task(self._hurt_again()) if scenario.half_way else None
        stopped = await self._seen(_withdrawals_stopped, STOPPED_S)
        if not stopped:
            self._say("late", f"withdrawals were not seen to stop within {STOPPED_S:g} s")
        self.progress("on the way back", 3, STEPS)
        back = await self._seen(_all_open, BACK_S)
        self._say("end", "all services are open" if back else "not all services opened in time")
        for task in (healing, half_way):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if not scenario.heal_first:
            self._say("heal", await scenario.heal(world))
        self.progress("all is well again", 4, STEPS)
        await asyncio.sleep(WELL_S)

    async def _heal_early(self) -> None:
        await asyncio.sleep(self.scenario.hold_s)
        self._say("heal", await self.scenario.heal(self.world))

    async def _hurt_again(self) -> None:
        stage = self.scenario.half_way_at

        def entered(document: StatusDocument) -> bool:
            return any(
                plan.stage is stage and plan.status is not PlanStatus.DONE
                for plan in document.plans
            )

        if await self._seen(entered, BACK_S) and self.scenario.half_way is not None:
            self._say("fault", await self.scenario.half_way(self.world))

    async def _hire(self, prng: Prng) -> None:
        gateways = self.world.gateways
        names = list(gateways)
        for number in range(TRADERS):
            name = f"trader{number}"
            key = await self.world.open_account(name, saves=False)
            around = {each: gateways[each] for each in (*names[number:], *names[:number])}
            self.traders.append(Trader(name, key, around, self.notes, prng.fork()))
        key = await self.world.open_account("saver", saves=True)
        self.saver = Saver("saver", key, gateways, self.notes, prng.fork())

    def _users(self) -> list[User]:
        return [*self.traders, *([self.saver] if self.saver else [])]

    async def _first_paid(self) -> None:
        """Wait until a withdrawal has gone the whole way."""
        async with asyncio.timeout(FIRST_S):
            while True:
                for asked in self.notes.withdrawals:
                    if await self.world.paid_to(asked.address):
                        return
                await asyncio.sleep(APPROVE_S)

    async def _agree(self) -> None:
        """Agree to what plans ask for, as two people who have looked at the gates."""
        while True:
            await asyncio.sleep(APPROVE_S)
            document = self.onlooker.document if self.onlooker else None
            for plan in document.plans if document is not None else ():
                if plan.status is PlanStatus.APPROVAL and plan.next_stage is not None:
                    for person in OPERATORS:
                        with contextlib.suppress(ClusterError):
                            await self.world.approve(plan.plan_id, plan.next_stage, person)

    async def _seen(self, holds: Callable[[StatusDocument], bool], patience_s: float) -> bool:
        return self.onlooker is not None and await self.onlooker.until(holds, patience_s)

    async def _compare(self) -> tuple[Record, list[str]]:
        """Ask users what they miss, let payments settle, and replay the journals."""
        lost: list[str] = []
        await self.world.cluster.ready()
        for trader in self.traders:
            trader.stopping = False
            lost += [f"order {name}" for name in await trader.lost()]
            trader.close()
        if self.saver is not None:
            self.saver.stopping = False
            await self._settled(self.saver)
            self.saver.close()
        for provider in self.world.cluster.providers.values():
            await provider.stop_nodes()
        record = await read_record(self.world)
        lost += await money_problems(self.world, self.notes.withdrawals, record)
        return record, lost

    async def _settled(self, saver: Saver) -> None:
        """Wait until nothing is under way any more, or long enough."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLED_S):
                while True:
                    if not any(row["state"] in _UNDER_WAY for row in await saver.rows()):
                        return
                    await asyncio.sleep(APPROVE_S)

    def _say(self, kind: str, text: str) -> None:
        self.happened.append(
            Happened(at_s=time.monotonic(), at_ns=time.time_ns(), kind=kind, text=text)
        )


_UNDER_WAY: Final = frozenset({"queued", "prepared", "broadcast"})


def _withdrawals_stopped(document: StatusDocument) -> bool:
    """Whether they were ordered to stop, or stopped because nobody said that all is well."""
    lines = [line for line in document.services if line.kind is ServiceKind.WITHDRAWAL]
    paused = bool(lines) and all(line.posture is Posture.PAUSED for line in lines)
    return paused or document.lease_until_ns < time.time_ns()


def _all_open(document: StatusDocument) -> bool:
    """Whether all is as before: every service open, and no plan left."""
    running = [
        plan
        for plan in document.plans
        if plan.status not in (PlanStatus.DONE, PlanStatus.ABANDONED)
    ]
    leased = document.lease_until_ns > time.time_ns()
    return (
        leased
        and not running
        and all(line.posture is Posture.OPEN and line.stage is None for line in document.services)
    )


async def run_incident(options: DrillOptions, out: Path, progress: Progress) -> DrillReport:
    """Run the drill in a temporary directory; logs are kept in `out` if a promise was broken."""
    scenario = SCENARIOS.get(options.scenario or SHORT)
    if scenario is None:
        raise DrillError(
            f"there is no scenario {options.scenario}; there are {', '.join(SCENARIOS)}"
        )
    if not await can_make_namespaces():
        raise DrillError("the incident drill cuts networks: run it as root on Linux, with `ip`")
    seed = time.time_ns() % 1_000_000 if options.seed is None else options.seed
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="seawall-incident-"))
    try:
        report = await _IncidentDrill(scenario, seed, folder, progress).run()
        if not report.held:
            await asyncio.to_thread(shutil.copytree, folder / LOGS, out / LOGS, dirs_exist_ok=True)
        sites = folder / "folder-one"
        if await asyncio.to_thread(sites.is_dir):
            await asyncio.to_thread(shutil.copytree, sites, out / "status", dirs_exist_ok=True)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return report


def _keep_logs(folder: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    patterns = ("*.log", "*.output", "watchers/*.output", "cluster/providers/*/*.output")
    for pattern in patterns:
        for path in folder.glob(pattern):
            shutil.copy(path, out / path.name)
    for path in folder.glob("cluster/providers/*/*/logs/*.log"):
        shutil.copy(path, out / f"{path.parent.parent.name}.log")


INCIDENT: Final = Drill(
    name="incident",
    summary="Something dies; withdrawals stop by themselves, and all reopens in stages.",
    run=run_incident,
    rounds=1,
)
