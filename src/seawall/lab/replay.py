"""Play a captured market into an exchange.  The rule: afterwards the two must be equal.

The capture's book is made of makers' orders, its trades of takers' orders.  They go through the
node as every command does, sequencer and journal included, under the clock of the capture.  What
came out is compared with the capture: every trade, the best levels every few diffs, at the end
the whole book and the candles of every interval.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Final

from msgspec import Struct

from seawall.core.spot_state import Market
from seawall.core.state_digest import digest_spot
from seawall.lab.capture import Capture, CaptureError, Diff, Trade
from seawall.lab.comparisons import (
    ALL_LEVELS,
    Differences,
    book_differences,
    compare_candles,
    trade_differences,
)
from seawall.lab.listing import listing
from seawall.lab.mirror import Mirror
from seawall.lab.progress import Progress, quiet
from seawall.model import limits
from seawall.model.commands import CreateUser, Credit, SetAccountTier, SetFeeTier, SpotCommand
from seawall.model.events import CommandRejected, Traded, UserCreated
from seawall.model.events import Event as SpotEvent
from seawall.model.ids import SPOT, Symbol, UserId
from seawall.model.instruments import FeeTier, InstrumentError
from seawall.node.clock import ManualClock
from seawall.node.driver import Committed
from seawall.node.node import Node, NodeSettings

MAKERS: Final = 3
TAKERS: Final = 5
MAKER_TIER: Final = FeeTier(tier=1, maker_ppm=0, taker_ppm=1_000, max_orders=100_000)
FUNDS: Final = 10**30
"""Atoms of each asset for each account: nobody runs dry, and nothing is rounded away."""
WINDOW: Final = 1_000
"""Commands on their way at once: as many as one append takes."""
LEVELS_COMPARED: Final = 20
"""Levels of each side compared after each window; the whole book is compared at the end."""
NS_PER_MS: Final = 1_000_000


class ReplayError(Exception):
    """The replay could not be done; the message says why."""


class ReplayReport(Struct, frozen=True, kw_only=True):
    """What was played, and where the exchange differs from the capture."""

    symbol: str
    entries: int
    """Journal entries of the spot cell at the end."""
    commands: int
    trades: int
    diffs: int
    levels: int
    """Levels of the book at the end, all compared."""
    candles: int
    """Candles compared, over all intervals."""
    differences: tuple[str, ...]
    """The first of them, in words; empty if exchange and capture are equal."""
    difference_count: int
    market_s: float
    """How long the captured market lasted."""
    took_s: float
    digest: str

    @property
    def equal(self) -> bool:
        return self.difference_count == 0


async def replay(
    files: Sequence[Path], data: Path, speed: float = 0, progress: Progress = quiet
) -> ReplayReport:
    """Play `files` into a new exchange at `data`; `speed` 0 is as fast as possible.

    Raises CaptureError or ReplayError.
    """
    capture = await asyncio.to_thread(Capture.load, files)
    async with _opened(data, capture) as (node, clock):
        player = _Player(node, clock, capture)
        await player.set_up()
        began = time.monotonic()
        await player.play(speed, progress)
        return await player.report(time.monotonic() - began)


@asynccontextmanager
async def _opened(data: Path, capture: Capture) -> AsyncIterator[tuple[Node, ManualClock]]:
    clock = ManualClock((capture.start_ms - 1) * NS_PER_MS)
    node = await Node.open(NodeSettings(data=data, name="replay", ticks=False), clock=clock)
    try:
        if capture.symbol in node.spot.markets:
            raise ReplayError(
                f"{data} already holds a market {capture.symbol}; replay into a new directory"
            )
        yield node, clock
    finally:
        await node.close()


class _Player:
    """One replay under way."""

    def __init__(self, node: Node, clock: ManualClock, capture: Capture) -> None:
        self._node = node
        self._clock = clock
        self._capture = capture
        self._symbol = Symbol(capture.symbol)
        self._commands = 0
        self._trades: list[Trade] = []
        """As the exchange made them."""
        self._differences = Differences()
        self._sent: list[tuple[SpotCommand, asyncio.Future[Committed]]] = []
        self._makers: list[UserId] = []
        self._takers: list[UserId] = []

    async def set_up(self) -> None:
        """List the market and fund the accounts."""
        try:
            base, quote, market = listing(self._capture)
        except InstrumentError as error:
            raise CaptureError(f"no market can hold these prices: {error}") from error
        users = [await self._create(f"replay-{number}") for number in range(MAKERS + TAKERS)]
        self._makers, self._takers = users[:MAKERS], users[MAKERS:]
        commands: list[SpotCommand] = [base, quote, market, SetFeeTier(tier=MAKER_TIER)]
        commands += [SetAccountTier(user_id=user, tier=MAKER_TIER.tier) for user in self._makers]
        commands += [
            Credit(user_id=user, asset=asset.code, atoms=FUNDS, reference="replay")
            for user in users
            for asset in (base.asset, quote.asset)
        ]
        await self._send(commands)
        await self._arrive()
        if self._differences.count:
            raise ReplayError(f"the market could not be set up: {self._differences.first[0]}")

    async def play(self, speed: float, progress: Progress) -> None:
        """Play all events, those of one moment together."""
        capture = self._capture
        mirror = Mirror(self._symbol, capture.snapshot, self._makers, self._takers)
        self._node.add_listener(self._heard)
        await self._send(mirror.start())
        began, done = time.monotonic(), 0
        for at_ms, moment in groupby(capture.events, key=lambda event: event.at_ms):
            if speed:
                due_s = began + (at_ms - capture.start_ms) / 1_000 / speed
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            self._clock.set(at_ms * NS_PER_MS)
            for event in moment:
                done += 1
                await self._send(
                    mirror.diff(event) if isinstance(event, Diff) else mirror.trade(event)
                )
            if isinstance(event, Diff) and len(self._sent) >= WINDOW:
                await self._arrive()
                self._differences.add(
                    book_differences(self._market, mirror.expected, LEVELS_COMPARED)
                )
                progress(f"{self._symbol} {_clock_text(at_ms)}", done, len(capture.events))
        await self._send(mirror.finish())
        await self._arrive()
        progress(f"{self._symbol} {_clock_text(capture.end_ms)}", done, len(capture.events))
        self._differences.add(book_differences(self._market, mirror.expected, ALL_LEVELS))

    async def report(self, took_s: float) -> ReplayReport:
        """Compare trades and candles, and say what came out."""
        capture, market = self._capture, self._market
        self._differences.add(trade_differences(self._trades, list(capture.trades)))
        candles, wrong = await compare_candles(self._node.views, market, capture)
        self._differences.add(wrong)
        return ReplayReport(
            symbol=capture.symbol,
            entries=self._node.spot.sequence,
            commands=self._commands,
            trades=len(self._trades),
            diffs=sum(1 for _ in capture.diffs),
            levels=len(market.bids.keys) + len(market.asks.keys),
            candles=candles,
            differences=tuple(self._differences.first),
            difference_count=self._differences.count,
            market_s=(capture.end_ms - capture.start_ms) / 1_000,
            took_s=round(took_s, 3),
            digest=digest_spot(self._node.spot),
        )

    @property
    def _market(self) -> Market:
        return self._node.spot.markets[self._symbol]

    async def _create(self, name: str) -> UserId:
        committed = await self._node.submit_identity(CreateUser(name=name))
        for event in committed.events:
            if isinstance(event, UserCreated):
                return UserId(event.user_id)
        raise ReplayError(f"the user {name} could not be created")

    async def _send(self, commands: Sequence[SpotCommand]) -> None:
        """Hand the commands over at the clock's present time; they keep their order.

        They share syncs of the disk with whatever else is on its way.
        """
        submit = self._node.submit_spot
        self._sent += [(one, submit(one)) for one in commands]
        self._commands += len(commands)
        if len(self._sent) >= limits.SEQUENCER_QUEUE // 2:
            await self._arrive()

    async def _arrive(self) -> None:
        """Wait until all that was sent is committed, and look for refusals."""
        for command, future in self._sent:
            for event in (await future).events:
                if isinstance(event, CommandRejected):
                    self._differences.add([f"refused, {event.reason}: {command}"])
        self._sent.clear()

    def _heard(
        self,
        cell: str,
        _sequence: int,
        at_ns: int,
        _command: object,
        events: Sequence[SpotEvent],
    ) -> None:
        if cell != SPOT:
            return
        market = self._market
        for event in events:
            if isinstance(event, Traded):
                self._trades.append(
                    Trade(
                        trade_id=event.trade_id,
                        at_ms=at_ns // NS_PER_MS,
                        symbol=event.symbol,
                        price=event.price_ticks * market.tick_price,
                        size=event.size_lots * market.lot_size,
                        buyer_is_maker=event.maker.is_buy,
                    )
                )


def _clock_text(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%H:%M:%S}"
