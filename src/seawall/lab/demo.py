"""A market that lives.  The rule: real data for the captured market, and openly scaled for others.

Plays the capture that ships with Seawall, in a loop and in real time, as orders of a maker and a
taker in each market.  Users trade with them as with anybody.  BTCUSDT is the capture itself; the
other markets are the same capture, scaled in price and size and begun at another moment, which
their status reason says.
"""

import asyncio
import time
from pathlib import Path
from typing import Final

import structlog
from msgspec import Struct

from seawall.core.spot_state import Account, Market
from seawall.lab.capture import Capture, Trade
from seawall.lab.feed import Feed
from seawall.lab.quoting import Quoter, limit_order
from seawall.lab.sample import SMALL_CAPTURE
from seawall.lab.scaling import Scale, Scaler
from seawall.model.commands import (
    CreateUser,
    Credit,
    SetAccountTier,
    SetFeeTier,
    SetMarketStatus,
    SpotCommand,
)
from seawall.model.ids import AssetCode, Symbol, UserId
from seawall.model.instruments import FeeTier
from seawall.model.trading import MarketStatus, TimeInForce
from seawall.node.errors import NodeError
from seawall.node.node import Node

_log = structlog.get_logger("seawall.demo")

MAKER_TIER: Final = 9
"""As in the default configuration; set here only where it is missing."""
FUNDS_S: Final = 30.0
"""How often it is looked whether makers and takers still have money."""
FUNDS: Final[dict[str, int]] = {
    "BTC": 1_000,
    "ETH": 20_000,
    "LTC": 800_000,
    "BNB": 100_000,
    "USDT": 60_000_000,
}
"""Whole units a maker or taker is brought up to; 1,000,000 of any other asset."""
OTHER_FUNDS: Final = 1_000_000


class Show(Struct, frozen=True, kw_only=True):
    """How one market is shown."""

    scale: Scale = Scale()
    levels: int = 40
    step_ms: int = 2_000
    offset_ms: int = 0
    reason: str


_SCALED: Final = "demo: Binance BTCUSDT of 2024-08-08, scaled; not data of this market"
SHOWS: Final[dict[str, Show]] = {
    "BTCUSDT": Show(
        levels=100, step_ms=200, reason="demo: Binance BTCUSDT of 2024-08-08, played in a loop"
    ),
    "ETHUSDT": Show(
        scale=Scale(price_ppb=43_470_000, size_ppb=23_000_000_000), offset_ms=25_000, reason=_SCALED
    ),
    "LTCUSDT": Show(
        scale=Scale(price_ppb=1_010_000, size_ppb=990_000_000_000), offset_ms=50_000, reason=_SCALED
    ),
    "BNBUSDT": Show(
        scale=Scale(price_ppb=8_310_000, size_ppb=120_000_000_000), offset_ms=75_000, reason=_SCALED
    ),
    "ETHBTC": Show(
        scale=Scale(price_ppb=703, size_ppb=23_000_000_000), offset_ms=100_000, reason=_SCALED
    ),
}


class DemoMarket:
    """Keeps the listed markets of `SHOWS` alive on a node, until stopped."""

    def __init__(self, node: Node, capture: Path = SMALL_CAPTURE) -> None:
        self._node = node
        self._file = capture
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Fund the makers and takers, and begin; returns once the first books stand."""
        capture = await asyncio.to_thread(Capture.load, [self._file])
        shown = [
            await _ShownMarket.open(self._node, capture, symbol, show)
            for symbol, show in SHOWS.items()
            if symbol in self._node.spot.markets
        ]
        for market in shown:
            await market.step()
        self._task = asyncio.create_task(_run(shown))

    async def ended(self) -> None:
        """Return once the market lives no more."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def stop(self) -> None:
        """Stop; the orders stay, and the next start goes on from them."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def _run(shown: list["_ShownMarket"]) -> None:
    try:
        await asyncio.gather(*(market.run() for market in shown))
    except NodeError as error:
        # The node says why in its own log, and takes no more commands.
        _log.warning("the demo market has ended", reason=str(error))
    except Exception:
        _log.exception("the demo market has ended")
        raise


class _ShownMarket:
    """One market's maker and taker."""

    def __init__(
        self, node: Node, market: Market, show: Show, feed: Feed, maker: UserId, taker: UserId
    ) -> None:
        self._node = node
        self._market = market
        self._show = show
        self._feed = feed
        self._maker = maker
        self._taker = taker
        self._scaler = Scaler(market, show.scale)
        # Every order so far had an id, so names counted from here on are new ones.
        self._quoter = Quoter(market, maker, node.spot.next_order_id)
        self._funded_s = float("-inf")

    @classmethod
    async def open(cls, node: Node, capture: Capture, symbol: str, show: Show) -> "_ShownMarket":
        market = node.spot.markets[Symbol(symbol)]
        maker = await _user(node, f"demo-maker-{symbol}")
        taker = await _user(node, f"demo-taker-{symbol}")
        if MAKER_TIER not in node.spot.tiers:
            tier = FeeTier(tier=MAKER_TIER, maker_ppm=0, taker_ppm=0, max_orders=5_000)
            await node.submit_spot(SetFeeTier(tier=tier))
        for user in (maker, taker):
            account = node.spot.accounts.get(user)
            if account is None or account.tier != MAKER_TIER:
                await node.submit_spot(SetAccountTier(user_id=user, tier=MAKER_TIER))
        feed = Feed(capture, show.offset_ms, _now_ms())
        shown = cls(node, market, show, feed, maker, taker)
        await shown._explain()
        return shown

    async def run(self) -> None:
        """Step for ever; a step that takes long delays the next, it does not pile up."""
        step_s = self._show.step_ms / 1_000
        while True:
            await asyncio.sleep(step_s - time.monotonic() % step_s)
            await self.step()

    async def step(self) -> None:
        """Play what has become due: the trades one by one, then the book."""
        trades = self._feed.advance(_now_ms())
        if self._market.status is not MarketStatus.OPEN:
            return
        if time.monotonic() - self._funded_s > FUNDS_S:
            await self._fund()
        await self._submit(self._takes(trades))
        wanted = self._scaler.book(self._feed.book, self._show.levels)
        account = self._node.spot.accounts.get(self._maker) or Account(self._maker)
        await self._submit(self._quoter.requote(account, wanted))

    def _takes(self, trades: list[Trade]) -> list[SpotCommand]:
        """Return the takers' orders, those that follow one another at one price as one."""
        merged: list[tuple[bool, int, int]] = []
        for trade in trades:
            ticks, lots = self._scaler.trade(trade)
            is_buy = not trade.buyer_is_maker
            if merged and merged[-1][:2] == (is_buy, ticks):
                lots += merged.pop()[2]
            merged.append((is_buy, ticks, lots))
        market = self._market
        least = market.instrument.min_notional
        return [
            limit_order(market, self._taker, "demo-taker", is_buy, ticks, lots, TimeInForce.IOC)
            for is_buy, ticks, lots in merged
            if lots and ticks * lots * market.atoms_per_tick_lot >= least
        ]

    async def _submit(self, commands: list[SpotCommand]) -> None:
        # A refusal is no trouble here: the next step looks again at what is there.
        for future in [self._node.submit_spot(command) for command in commands]:
            await future

    async def _fund(self) -> None:
        ledger = self._node.spot.ledger
        for user in (self._maker, self._taker):
            for code in (self._market.base, self._market.quote):
                decimals = self._node.spot.assets[AssetCode(code)].decimals
                wanted = FUNDS.get(code, OTHER_FUNDS) * 10**decimals
                # Only looked at: opening a balance here would be a change past the journal.
                balance = ledger.balances.get(user, {}).get(code)
                missing = wanted - (balance.free + balance.held if balance else 0)
                if missing > wanted // 2:
                    reference = f"demo-{self._node.spot.sequence}"
                    await self._node.submit_spot(
                        Credit(
                            user_id=user,
                            asset=AssetCode(code),
                            atoms=missing,
                            reference=reference,
                        )
                    )
        self._funded_s = time.monotonic()

    async def _explain(self) -> None:
        """Say in the market's reason what is shown; a status is only told by a change of it."""
        market, symbol = self._market, Symbol(self._market.symbol)
        if market.status is not MarketStatus.OPEN or market.status_reason == self._show.reason:
            return
        # Both at once: between them nobody is to find a market that is closed.
        moves = [
            self._node.submit_spot(
                SetMarketStatus(symbol=symbol, status=status, reason=self._show.reason)
            )
            for status in (MarketStatus.POST_ONLY, MarketStatus.OPEN)
        ]
        await asyncio.gather(*moves)


async def _user(node: Node, name: str) -> UserId:
    known = node.identity.by_name.get(name)
    if known is None:
        await node.submit_identity(CreateUser(name=name))
        known = node.identity.by_name[name]
    return UserId(known.user_id)


def _now_ms() -> int:
    """Return a time that never goes back; only its differences count."""
    return time.monotonic_ns() // 1_000_000
