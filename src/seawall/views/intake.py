"""Where events come in.  The rule: what a row says is a function of (sequence, time, events) alone.

`on_commit` is in the path of every order: it appends to lists and dictionaries, and hands over a
batch to the history's thread now and then.  What history holds already is not written twice.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self

import msgspec
from msgspec import Struct

from seawall.lib.invariants import invariant
from seawall.model.events import (
    Event,
    LevelChanged,
    MarketListed,
    MarketStatusChanged,
    MatchPrevented,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderListDone,
    OrderListStarted,
    OrderTriggered,
    Traded,
)
from seawall.model.limits import VIEW_BATCHES_IN_FLIGHT, VIEW_FLUSH_EVENTS
from seawall.views.history import Batch, History, HistoryBehindError
from seawall.views.interruptions import ALL_MARKETS, SILENCE_NS, Interruption, Interruptions
from seawall.views.market import MarketDump, MarketView
from seawall.views.pending import Pending
from seawall.views.trades import TradeTuple


class ViewsDump(Struct, frozen=True, kw_only=True):
    """All that is in memory, as a snapshot keeps it."""

    sequence: int
    at_ns: int
    outages: list[Interruption]
    markets: list[MarketDump]


_DUMP_DECODER = msgspec.json.Decoder(ViewsDump)


class Intake:
    """The read models of the spot cell, as the node feeds them."""

    def __init__(self, history: History) -> None:
        self.sequence = 0
        self.at_ns = 0
        self._history = history
        self._markets: dict[str, MarketView] = {}
        self._outages = Interruptions(ALL_MARKETS)
        self._pending = Pending()
        self._waiting = 0
        """Events since the last batch."""
        self._in_flight: deque[Future[None]] = deque()
        self._held_until = history.watermark
        """Entries up to here are in history already; what they change is not written again."""
        self._handlers: dict[type[Event], Callable[[Any, int], None]] = {
            LevelChanged: self._on_level,
            OrderAccepted: self._on_order,
            OrderTriggered: self._on_order,
            OrderAmended: self._on_amended,
            OrderCanceled: self._on_order_ended,
            OrderExpired: self._on_order_ended,
            Traded: self._on_traded,
            MatchPrevented: self._on_prevented,
            OrderListStarted: self._on_order_list,
            OrderListDone: self._on_order_list,
            MarketListed: self._on_listed,
            MarketStatusChanged: self._on_status,
        }

    @classmethod
    def open(cls, data: Path) -> Self:
        """Open the views of a data directory, empty but for what history holds."""
        return cls(History.open(data / "views"))

    @property
    def watermark(self) -> int:
        """The sequence up to which history is on disk; `sequence` less this is the views' lag."""
        return self._history.watermark

    def check_journal(self, head_sequence: int) -> None:
        """Discard a history that is ahead of its journal: it belongs to another one."""
        if self._history.watermark > head_sequence:
            self._history.discard(
                f"history stands at {self._history.watermark}, the journal ends at {head_sequence}"
            )
            self._held_until = 0

    def on_commit(self, sequence: int, at_ns: int, events: Sequence[Event]) -> None:
        """Take in one entry.  In the path of every order: no I/O but handing a batch over."""
        invariant(sequence == self.sequence + 1, "views see every entry, in order")
        if self.sequence == self._held_until:
            self._drop_pending()
        if at_ns - self.at_ns > SILENCE_NS and self.at_ns:
            self._pending.interruptions.append(self._outages.silent(self.at_ns, at_ns))
        self.sequence = sequence
        self.at_ns = at_ns
        handlers = self._handlers
        for event in events:
            handler = handlers.get(event.__class__)
            if handler is not None:
                handler(event, at_ns)
        self._waiting += len(events)
        if self._waiting >= VIEW_FLUSH_EVENTS:
            self._hand_over()

    def dump(self) -> bytes:
        """Return all that is in memory as of the last entry."""
        return msgspec.json.encode(
            ViewsDump(
                sequence=self.sequence,
                at_ns=self.at_ns,
                outages=list(self._outages.recent),
                markets=[market.dump() for market in self._markets.values()],
            )
        )

    def load(self, data: bytes) -> None:
        """Take over a dump; raise HistoryBehindError if history does not reach up to it."""
        invariant(self.sequence == 0, "a dump is loaded before the first entry")
        dumped = _DUMP_DECODER.decode(data)
        if self._history.watermark < dumped.sequence:
            raise HistoryBehindError(
                f"the snapshot stands at {dumped.sequence}, history at {self._history.watermark}"
            )
        self.sequence = dumped.sequence
        self.at_ns = dumped.at_ns
        self._outages.recent.extend(dumped.outages)
        for market in dumped.markets:
            self._markets[market.symbol] = MarketView.load(market)

    async def flush(self) -> None:
        """Make history durable up to the present entry."""
        self._hand_over()
        await asyncio.wrap_future(self._history.sync())

    async def close(self) -> None:
        """Flush and close; the last call."""
        try:
            await self.flush()
        finally:
            await asyncio.wrap_future(self._history.close())

    # Events

    def _on_level(self, event: LevelChanged, _at_ns: int) -> None:
        self._markets[event.symbol].depth.apply(event)

    def _on_order(self, event: OrderAccepted | OrderTriggered, _at_ns: int) -> None:
        order = event.order
        self._pending.orders[order.order_id] = order

    def _on_amended(self, event: OrderAmended, at_ns: int) -> None:
        self._pending.amended(event, self.sequence, at_ns)

    def _on_order_ended(self, event: OrderCanceled | OrderExpired, _at_ns: int) -> None:
        order = event.order
        self._pending.orders[order.order_id] = order
        self._pending.end_reasons[order.order_id] = event.reason

    def _on_traded(self, event: Traded, at_ns: int) -> None:
        taker, maker = event.taker, event.maker
        taker_is_buy = 1 if taker.is_buy else 0
        trade: TradeTuple = (
            event.symbol, event.trade_id, event.price_ticks, event.size_lots, event.quote_atoms,
            at_ns, taker_is_buy, 1 if event.auction else 0, taker.order_id, maker.order_id,
            taker.user_id, maker.user_id, event.taker_fee_atoms, event.maker_fee_atoms,
        )  # fmt: skip
        market = self._markets[event.symbol]
        pending = self._pending
        pending.trades.append(trade)
        agg = market.tape.add(trade)
        if agg is not None:
            pending.agg_trades.append(agg)
        market.forming.trade(
            at_ns, event.price_ticks, event.size_lots, event.quote_atoms, taker_is_buy,
            event.trade_id,
        )  # fmt: skip
        pending.orders[taker.order_id] = taker
        pending.orders[maker.order_id] = maker

    def _on_prevented(self, event: MatchPrevented, at_ns: int) -> None:
        self._pending.prevented(event, at_ns)

    def _on_order_list(self, event: OrderListStarted | OrderListDone, at_ns: int) -> None:
        self._pending.order_lists[event.order_list.order_list_id] = (event.order_list, at_ns)

    def _on_listed(self, event: MarketListed, at_ns: int) -> None:
        instrument = event.instrument
        market = MarketView(instrument.symbol, instrument.atoms_per_tick_lot)
        self._markets[instrument.symbol] = market
        self._pending.interruptions += market.interruptions.listed(at_ns, instrument.status)

    def _on_status(self, event: MarketStatusChanged, at_ns: int) -> None:
        interruptions = self._markets[event.symbol].interruptions
        self._pending.interruptions += interruptions.status_changed(at_ns, event.status)

    # History

    def _hand_over(self) -> None:
        """Queue all that waits for history; wait for the oldest if too many are on the way."""
        if self.sequence <= self._held_until:
            self._drop_pending()
            return
        batch = Batch(self.sequence, self._pending.take_rows(self._markets.values()))
        self._pending = Pending()
        self._waiting = 0
        while len(self._in_flight) >= VIEW_BATCHES_IN_FLIGHT:
            self._in_flight.popleft().exception()
        self._in_flight.append(self._history.write(batch))

    def _drop_pending(self) -> None:
        """Forget what history holds already."""
        for market in self._markets.values():
            market.forming.take_changed()
        self._pending = Pending()
        self._waiting = 0
