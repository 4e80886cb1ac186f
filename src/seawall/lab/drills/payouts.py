"""The payouts drill.  The rule: whatever dies in between, each withdrawal is paid once or returned.

Customers withdraw over the wallet API while exchange, signer and chain node are killed with SIGKILL
at every step of a payment, the chain is reorganised, and the node stops answering.  In the end all
must have ended, and what the blocks show is compared with what the customers were told.
"""

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from seawall.lab.drills.base import Drill, DrillOptions, DrillReport, Mark
from seawall.lab.drills.payouts_audit import PayoutKind, audit_payouts
from seawall.lab.drills.payouts_chain import BROKEN
from seawall.lab.drills.payouts_customer import Customer
from seawall.lab.drills.payouts_evidence import gather_evidence
from seawall.lab.drills.payouts_report import Blow, Outcome, SeenPayouts, payouts_report
from seawall.lab.drills.payouts_steps import Step, reached
from seawall.lab.drills.payouts_world import LOOK_S, PayoutWorld
from seawall.lab.exchange_process import ExchangeError
from seawall.lab.machine import now_text
from seawall.lab.progress import Progress
from seawall.lab.wire import BrokenError
from seawall.lib.prng import Prng

WITHDRAWALS_PER_ROUND: Final = 30
STEP_S: Final = 10.0
"""Where no withdrawal makes the awaited step in this time, the blow falls all the same."""
ROUND_S: Final = 4.0
"""Over which a round's withdrawals are asked for."""
FREEZE_S: Final = (0.5, 3.0)
CREDIT_S: Final = 30.0
STANDSTILL_S: Final = 90.0
"""Nothing moved for so long at the end: what still waits will not end by itself."""
PAUSE_S: Final = 0.2


Call = Callable[[], Awaitable[None]]


class Victim(Struct, frozen=True):
    """Which processes die at once."""

    exchange: bool = False
    signer: bool = False
    chain: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        found = {"exchange": self.exchange, "signer": self.signer, "chain": self.chain}
        return tuple(name for name, dies in found.items() if dies)

    def kills(self, world: PayoutWorld) -> list[Call]:
        calls = {
            "exchange": world.kill_exchange,
            "signer": world.signer.kill,
            "chain": world.chain.kill,
        }
        return [calls[name] for name in self.names]

    def starts(self, world: PayoutWorld) -> list[Call]:
        calls = {
            "exchange": world.start_exchange,
            "signer": world.signer.start,
            "chain": world.chain.revive,
        }
        return [calls[name] for name in self.names]


VICTIMS: Final = (
    Victim(exchange=True),
    Victim(signer=True),
    Victim(chain=True),
    Victim(exchange=True, signer=True),
    Victim(exchange=True, chain=True),
    Victim(exchange=True, signer=True, chain=True),
)
DECK: Final = tuple((victim, step) for step in Step for victim in VICTIMS)
"""Every way to be hurt; a campaign goes through all of them before it repeats one."""


class _PayoutsDrill:
    """One run."""

    def __init__(self, options: DrillOptions, folder: Path, progress: Progress) -> None:
        self.rounds = options.rounds
        self.withdrawals = options.withdrawals or WITHDRAWALS_PER_ROUND * options.rounds
        self.seed = time.time_ns() % 1_000_000 if options.seed is None else options.seed
        self.prng = Prng(self.seed)
        self.world = PayoutWorld(folder, self.prng)
        self.progress = progress
        self.blows: list[Blow] = []
        self.reorganised: list[Mark] = []
        self.began_s = 0.0
        self.started_at = now_text()
        self.outcome = Outcome()
        self.journal = folder / "data" / "journal" / "funding.sqlite"
        self._deck: list[tuple[Victim, Step]] = []
        self._cards = self.prng.fork()
        """Apart from the rest, so that a seed gives the same kills whatever happens meanwhile."""
        self._tickets = asyncio.Semaphore(0)
        """One for each withdrawal that may still be asked for."""
        self._asking = 0

    async def run(self) -> DrillReport:
        """Run all rounds, wait for the end of every payment, compare, and report."""
        world = self.world
        duration_s = 0.0
        try:
            self.progress("customers deposit", 0, 0)
            await world.start()
            self.began_s = time.monotonic()
            await self._campaign()
            duration_s = time.monotonic() - self.began_s
            self.progress("comparing", self.rounds, self.rounds)
            await self._compare()
            self.outcome.exit_code = await world.exchange.stop()
        except (ExchangeError, BrokenError, *BROKEN) as error:
            self.outcome.failure = f"{type(error).__name__}: {error}"
        finally:
            await world.close()
        self.outcome.verified, self.outcome.verify_said = await world.exchange.verify()
        return payouts_report(
            SeenPayouts(
                seed=self.seed,
                started_at=self.started_at,
                began_s=self.began_s,
                duration_s=duration_s or time.monotonic() - self.began_s,
                blows=self.blows,
                reorganised=self.reorganised,
                depths=world.chain.reorganised,
                customers=world.customers,
                outcome=self.outcome,
            )
        )

    async def _campaign(self) -> None:
        work = [asyncio.create_task(self._serve(customer)) for customer in self.world.customers]
        people = asyncio.create_task(self.world.approve_all(self.prng.fork()))
        try:
            for number in range(self.rounds):
                self.progress("killing and paying", number, self.rounds)
                share = self.withdrawals * (number + 1) // self.rounds
                await self._round(share - self.withdrawals * number // self.rounds)
            await self._wait_for_the_end()
        finally:
            for task in (*work, people):
                task.cancel()
            await asyncio.gather(*work, people, return_exceptions=True)

    async def _serve(self, customer: Customer) -> None:
        """Let one customer withdraw, one after the other, while there are tickets."""
        while True:
            await self._tickets.acquire()
            self._asking += 1
            await customer.withdraw()
            self._asking -= 1

    # One round

    async def _round(self, withdrawals: int) -> None:
        """Let customers withdraw, strike at a step of some withdrawal, and bring all back."""
        victim, step = self._draw()
        if victim.chain:
            await self.world.chain.dump()
        meanwhile = asyncio.gather(self._trouble(), self._release(withdrawals))
        try:
            met = await self._await(step, victim)
            await self._strike(victim, step if met else Step.ANY)
        finally:
            await meanwhile

    async def _release(self, withdrawals: int) -> None:
        """Let them come one by one, so that whatever happens falls among them."""
        for _ in range(withdrawals):
            self._tickets.release()
            await asyncio.sleep(ROUND_S / withdrawals)

    def _draw(self) -> tuple[Victim, Step]:
        """Take the next card; a deck that is used up is shuffled anew."""
        if not self._deck:
            self._deck = list(DECK)
        return self._deck.pop(self._cards.below(len(self._deck)))

    async def _trouble(self) -> None:
        """Deposit, reorganise, or stop the node from answering, at moments of chance."""
        chain, world = self.world.chain, self.world
        await asyncio.sleep(self._chance_s(0.0, 2.0))
        customer, coin = self.prng.choice(world.customers), self.prng.choice(world.coins)
        await customer.deposit(coin, coin.deposit // 1_000 + self.prng.below(1_000), 9)
        for _ in range(self.prng.below(3)):
            await asyncio.sleep(self._chance_s(0.0, ROUND_S / 2))
            with contextlib.suppress(*BROKEN):
                done = await chain.reorganise()
                if done:
                    self._mark("reorganisation", done)
        if self.prng.chance(1, 4):
            for_s = self._chance_s(*FREEZE_S)
            self._mark("freeze", f"the chain node does not answer for {for_s:.1f} s")
            await chain.freeze(for_s)

    async def _await(self, step: Step, victim: Victim) -> bool:
        """Return once a withdrawal makes the step; False if none did for long."""
        keeper = asyncio.create_task(self._keep_dump()) if victim.chain else None
        try:
            await asyncio.sleep(self._chance_s(0.0, 1.0))
            if step is Step.ANY:
                await asyncio.sleep(self._chance_s(0.0, 2.0))
                return True
            world = self.world
            return await reached(step, self.journal, world.signer.record, world.chain, STEP_S)
        finally:
            if keeper is not None:
                keeper.cancel()
                await asyncio.gather(keeper, return_exceptions=True)

    async def _keep_dump(self) -> None:
        """Keep the dump young enough that a kill takes nothing away that was final."""
        chain = self.world.chain
        while True:
            if chain.dump_is_old:
                with contextlib.suppress(*BROKEN):
                    await chain.dump()
            await asyncio.sleep(LOOK_S / 2)

    async def _strike(self, victim: Victim, step: Step) -> None:
        world, at_s = self.world, time.monotonic()
        await asyncio.gather(*(kill() for kill in victim.kills(world)))
        await asyncio.sleep(self._chance_s(0.0, 1.5))
        await asyncio.gather(*(start() for start in victim.starts(world)))
        if victim.exchange and self.prng.chance(1, 4):
            # Once more, while it takes up what it had.
            await asyncio.sleep(self._chance_s(0.0, 0.5))
            await world.kill_exchange()
            await world.start_exchange()
        self.blows.append(
            Blow(
                at_s=at_s - self.began_s,
                down_s=time.monotonic() - at_s,
                step=step.value,
                victims=victim.names,
            )
        )

    def _mark(self, kind: str, text: str) -> None:
        self.reorganised.append(Mark(at_s=time.monotonic() - self.began_s, kind=kind, text=text))

    def _chance_s(self, low_s: float, high_s: float) -> float:
        return low_s + (high_s - low_s) * self.prng.below(1_000) / 1_000

    # The end

    async def _wait_for_the_end(self) -> None:
        """Return when every withdrawal has ended, or nothing has moved for long."""
        world, moved_s, before = self.world, time.monotonic(), None
        while time.monotonic() - moved_s < STANDSTILL_S:
            rows = [row for one in world.customers for row in await one.open_withdrawals()]
            asked = sum(len(customer.asked) for customer in world.customers)
            if not rows and asked >= self.withdrawals and not self._asking:
                return
            now = (asked, sorted((row["id"], row["state"], len(row["txIds"])) for row in rows))
            if now != before:
                before, moved_s = now, time.monotonic()
            self.progress("waiting for finality", asked - len(rows), self.withdrawals)
            await asyncio.sleep(PAUSE_S)

    async def _compare(self) -> None:
        """Take all evidence at a standing chain; deposits get the time to be credited."""
        world, outcome = self.world, self.outcome
        deadline_s = time.monotonic() + CREDIT_S
        while True:
            evidence = await gather_evidence(world, self.journal)
            outcome.evidence, outcome.findings = evidence, audit_payouts(evidence)
            credited = all(one.kind is not PayoutKind.BALANCE for one in outcome.findings)
            if credited or time.monotonic() > deadline_s:
                break
            await asyncio.sleep(PAUSE_S)
        outcome.listings = await world.reconciled()


async def run_payouts(options: DrillOptions, out: Path, progress: Progress) -> DrillReport:
    """Run the drill in a temporary directory; it is kept in `out` if a promise was broken."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="seawall-drill-"))
    try:
        report = await _PayoutsDrill(options, folder, progress).run()
        if not report.held:
            await asyncio.to_thread(_keep, folder, out / "data")
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return report


def _keep(folder: Path, kept: Path) -> None:
    """Keep the evidence; sockets cannot be copied, and a chain's dump is large."""
    ignored = shutil.ignore_patterns("*.sock", "dump.*")
    shutil.copytree(folder, kept, dirs_exist_ok=True, ignore=ignored)


PAYOUTS: Final = Drill(
    name="payouts",
    summary="SIGKILL at every step of a withdrawal, over a chain that is reorganised; each must be"
    " paid exactly once or returned.",
    run=run_payouts,
)
