"""The kill drill.  The rule: kill without warning, then hold the exchange to its every word.

A real exchange serves traders over its API and is killed with SIGKILL at random moments: under
load, while it starts and recovers, while it writes a snapshot.  It is started again each time.  At
the end everything that was acknowledged is compared with what is there.
"""

import asyncio
import shutil
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Final

from seawall.lab.drills.audit import Finding, Market, audit
from seawall.lab.drills.base import Drill, DrillOptions, DrillReport
from seawall.lab.drills.kill_report import Kill, Seen, kill_report
from seawall.lab.drills.trader import Trader
from seawall.lab.exchange_process import ExchangeError, ExchangeProcess
from seawall.lab.machine import now_text
from seawall.lab.progress import Progress
from seawall.lib.prng import Prng

REST_TRADERS: Final = 4
WEBSOCKET_TRADERS: Final = 2
SYMBOL: Final = "BTCUSDC"
MARKETS: Final = {SYMBOL: Market("BTC", "USDC")}
FUNDS: Final = {"BTC": "100", "USDC": "10000000"}
LOAD_S: Final = (0.2, 2.0)
"""How long the exchange is left alone before a kill under load."""
SNAPSHOT_WAIT_S: Final = 8.0
CONFIGURATION: Final = """\
[exchange]
demo = true

[demo]
chain = false

[node]
snapshot_entries = 1500

[gateway.throttle]
weight_per_minute = 100000000
orders_per_10_s = 100000000
orders_per_day = 100000000
requests_per_5_minutes = 100000000
ban_after_refusals = 100000000

[assets.BTC]
name = "Bitcoin"
decimals = 8

[assets.USDC]
name = "USD Coin"
decimals = 8

# Not a market that the demo plays: here only the traders trade.
[markets.BTCUSDC]
base = "BTC"
quote = "USDC"
tick = "0.01"
lot = "0.00001"
max_price = "1000000"
max_size = "9000"
min_notional = "5"
max_notional = "9000000"
"""
UNDER_LOAD: Final = "under load"
STARTING: Final = "while it started"
SNAPSHOT: Final = "while it wrote a snapshot"


class _KillDrill:
    """One run."""

    def __init__(self, options: DrillOptions, folder: Path, progress: Progress) -> None:
        self.rounds = options.rounds
        self.seed = time.time_ns() % 1_000_000 if options.seed is None else options.seed
        self.prng = Prng(self.seed)
        self.exchange = ExchangeProcess(folder, CONFIGURATION)
        self.up = asyncio.Event()
        self.progress = progress
        self.traders: list[Trader] = []
        self.kills: list[Kill] = []
        self.began_s = 0.0
        self.started_at = now_text()
        self.start_s = 1.0
        """How long the last start took: the measure for a kill in the midst of the next one."""

    async def run(self) -> DrillReport:
        """Run all rounds, compare, and report."""
        findings: list[Finding] = []
        failure, exit_code = "", 0
        try:
            await self._start()
            await self._hire()
            self.began_s = time.monotonic()
            try:
                await self._rounds()
                duration_s = time.monotonic() - self.began_s
                self.progress("comparing", self.rounds, self.rounds)
                findings = await self._audit()
                exit_code = await self.exchange.stop()
            except ExchangeError as error:
                duration_s = time.monotonic() - self.began_s
                failure = str(error)
        finally:
            await self.exchange.kill()
        verified, said = await self.exchange.verify()
        return kill_report(
            Seen(
                seed=self.seed,
                started_at=self.started_at,
                began_s=self.began_s,
                duration_s=duration_s,
                rounds=self.rounds,
                kills=self.kills,
                traders=self.traders,
                findings=findings,
                exit_code=exit_code,
                verified=verified,
                verify_said=said,
                failure=failure,
            )
        )

    async def _rounds(self) -> None:
        self.up.set()
        work = [asyncio.create_task(trader.run()) for trader in self.traders]
        try:
            for number in range(self.rounds):
                self.progress("killing the exchange", number, self.rounds)
                await self._round()
            await asyncio.sleep(LOAD_S[0])
            for trader in self.traders:
                trader.stopping = True
            await asyncio.gather(*work)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _start(self) -> float:
        began_s = time.monotonic()
        await self.exchange.spawn()
        await self.exchange.ready()
        self.start_s = time.monotonic() - began_s
        return self.start_s

    async def _hire(self) -> None:
        kinds = [False] * REST_TRADERS + [True] * WEBSOCKET_TRADERS
        for number, websocket in enumerate(kinds):
            name = f"{'ws' if websocket else 'rest'}{number}"
            key = await self.exchange.fund(f"drill-{name}", FUNDS)
            prng = self.prng.fork()
            self.traders.append(
                Trader(name, key, SYMBOL, self.exchange, self.up, prng, websocket=websocket)
            )

    async def _round(self) -> None:
        """Let it work, kill it, perhaps again while it starts, and bring it back."""
        when = self.prng.choice((UNDER_LOAD, UNDER_LOAD, STARTING, SNAPSHOT))
        low_s, high_s = LOAD_S
        await asyncio.sleep(low_s + (high_s - low_s) * self.prng.below(1_000) / 1_000)
        if when == SNAPSHOT:
            await self._wait_for_snapshot()
        self.up.clear()
        killed_s = time.monotonic()
        await self.exchange.kill()
        kills = 1
        if when == STARTING:
            for _ in range(self.prng.between(1, 2)):
                await self.exchange.spawn()
                await asyncio.sleep(self.start_s * self.prng.below(1_000) / 1_000)
                await self.exchange.kill()
                kills += 1
        recovery_s = await self._start()
        self.kills.append(
            Kill(
                at_s=killed_s - self.began_s,
                when=when,
                recovery_s=recovery_s,
                down_s=time.monotonic() - killed_s,
                kills=kills,
            )
        )
        self.up.set()

    async def _wait_for_snapshot(self) -> None:
        """Return as soon as a half-written snapshot is seen, or after a while without one."""
        folder = self.exchange.data / "snapshots"
        await asyncio.to_thread(_await_partial, folder, time.monotonic() + SNAPSHOT_WAIT_S)

    async def _audit(self) -> list[Finding]:
        funds = {asset: Decimal(amount) for asset, amount in FUNDS.items()}
        findings: list[Finding] = []
        for trader in self.traders:
            present = await trader.present()
            found = audit(trader.ledger, present, funds, MARKETS)
            findings += [
                Finding(kind=finding.kind, text=f"{trader.name}: {finding.text}")
                for finding in found
            ]
        return findings


def _await_partial(folder: Path, deadline_s: float) -> None:
    """Look for another process's half-written file, often, since nothing tells of it."""
    while time.monotonic() < deadline_s and not any(folder.glob("*.partial")):
        time.sleep(0.001)


async def run_kill(options: DrillOptions, out: Path, progress: Progress) -> DrillReport:
    """Run the drill in a temporary directory; it is kept in `out` if a promise was broken."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="seawall-drill-"))
    try:
        report = await _KillDrill(options, folder, progress).run()
        if not report.held:
            await asyncio.to_thread(shutil.copytree, folder, out / "data", dirs_exist_ok=True)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return report


KILL: Final = Drill(
    name="kill",
    summary="SIGKILL at random moments under real order flow; nothing acknowledged may be lost.",
    run=run_kill,
)
