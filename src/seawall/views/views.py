"""The read models' front door.  The rule: a pure function of (sequence, time, events).

The node calls `on_commit` for every entry of the spot cell's journal, in order, before it answers
the submitter; so whoever was answered sees the effect here.  Books, tickers and the latest trades
are answered from memory, at once; all else from history, after what waits has been handed over.

How a node starts:
    views = Views.open(data)            # discards a history that is damaged
    views.check_journal(head_sequence)  # discards one that is ahead of the journal
    views.load(snapshot)                # HistoryBehindError: try an older snapshot, or none
    views.on_commit(...)                # for every entry after the snapshot's, or from the first
What history holds already is not written twice.  A snapshot may be kept once `flush` has returned
after its `dump`.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec
from msgspec import Struct, structs

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
from seawall.model.limits import QUERY_ROWS, VIEW_BATCHES_IN_FLIGHT, VIEW_FLUSH_EVENTS
from seawall.views import market_history, user_history
from seawall.views.candles import candle, empty_candle
from seawall.views.depth import DepthDiff
from seawall.views.history import Batch, History, HistoryBehindError
from seawall.views.interruptions import ALL_MARKETS, SILENCE_NS, Interruption, Interruptions
from seawall.views.market import MarketDump, MarketView
from seawall.views.pending import Pending
from seawall.views.periods import MINUTE_NS, open_before, period_of
from seawall.views.rows import (
    AggTradeRow,
    AveragePrice,
    Best,
    Candle,
    Depth,
    OrderListRow,
    OrderRow,
    PreventedMatchRow,
    Ticker,
    TradeRow,
    UserTradeRow,
)
from seawall.views.trades import TradeTuple, trade_row

P = ParamSpec("P")
T = TypeVar("T")


class ViewsDump(Struct, frozen=True, kw_only=True):
    """All that is in memory, as a snapshot keeps it."""

    sequence: int
    at_ns: int
    outages: list[Interruption]
    markets: list[MarketDump]


_DUMP_DECODER = msgspec.json.Decoder(ViewsDump)


class Views:
    """All read models of the spot cell."""

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
            OrderAmended: self._on_order,
            OrderCanceled: self._on_order_ended,
            OrderExpired: self._on_order_ended,
            Traded: self._on_traded,
            MatchPrevented: self._on_prevented,
            OrderListStarted: self._on_order_list,
            OrderListDone: self._on_order_list,
            MarketListed: self._on_listed,
            MarketStatusChanged: self._on_status,
        }

    # The node's side

    @classmethod
    def open(cls, data: Path) -> "Views":
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

    # From memory, at once.  An unknown market is a KeyError: the node's state knows which exist.

    def depth(self, symbol: str, limit: int) -> Depth:
        return self._markets[symbol].depth.depth(limit)

    def best(self, symbol: str) -> Best:
        return self._markets[symbol].depth.best()

    def open_diff(self, symbol: str) -> DepthDiff:
        """Return an accumulator of the book's changes from now on; see `close_diff`."""
        return self._markets[symbol].depth.open_diff()

    def close_diff(self, symbol: str, diff: DepthDiff) -> None:
        self._markets[symbol].depth.close_diff(diff)

    def ticker(self, symbol: str, window_minutes: int, now_ns: int) -> Ticker:
        """Return the window of so many minutes that ends now, begun on a full minute."""
        from_ns = (now_ns // MINUTE_NS - window_minutes) * MINUTE_NS
        return self._markets[symbol].ticker(from_ns, now_ns)

    def trading_day(self, symbol: str, now_ns: int, offset_minutes: int = 0) -> Ticker:
        """Return the day that lasts now, by clocks `offset_minutes` ahead of UTC."""
        opened, ended = period_of("1d", now_ns, offset_minutes * MINUTE_NS)
        return self._markets[symbol].ticker(opened, ended - 1)

    def average_price(self, symbol: str) -> AveragePrice:
        """Return the average that the price filters use, as of the last entry."""
        return self._markets[symbol].average_price(self.at_ns)

    def last_trade(self, symbol: str) -> TradeRow | None:
        last = self._markets[symbol].tape.last
        return trade_row(last) if last else None

    def recent_agg_trades(self, symbol: str, after_id: int) -> list[AggTradeRow]:
        """Return the aggregate trades after `after_id`, as far back as memory goes."""
        return self._markets[symbol].tape.aggs_after(after_id)

    def live_candle(
        self, symbol: str, interval: str, now_ns: int, periods_back: int = 0
    ) -> Candle | None:
        """Return the candle of the period that holds now, or one or two before; None before trade.

        For streams: a candle's last state is told once its period has passed.
        """
        market = self._markets[symbol]
        opened, ended = period_of(interval, open_before(interval, now_ns, periods_back))
        bar = market.forming.at(interval, opened)
        if bar is not None:
            found = candle(bar, now_ns)
        else:
            close_ticks = market.forming.close_before(interval, opened)
            if close_ticks is None:
                return None
            found = empty_candle(opened, ended, close_ticks, now_ns)
        outage = self._outage(now_ns)
        if (
            market.interruptions.meet(opened, ended)
            or self._outages.meet(opened, ended)
            or (outage is not None and outage.meets(opened, ended))
        ):
            found = structs.replace(found, complete=False)
        return found

    # From memory where it reaches, else from history

    async def trades(self, symbol: str, from_id: int | None, limit: int) -> list[TradeRow]:
        """Return trades from an id on, or the latest; oldest first."""
        limit = min(limit, QUERY_ROWS)
        tape = self._markets[symbol].tape
        recent = tape.recent(from_id, limit)
        if recent is not None:
            return recent
        first = tape.latest_from(limit) if from_id is None else from_id
        return await self._read(market_history.find_trades, symbol, first, limit)

    async def agg_trades(
        self,
        symbol: str,
        from_id: int | None,
        start_ns: int | None,
        end_ns: int | None,
        limit: int,
    ) -> list[AggTradeRow]:
        """Return aggregate trades from an id on, or made in [start_ns, end_ns], or the latest."""
        limit = min(limit, QUERY_ROWS)
        if start_ns is None and end_ns is None:
            recent = self._markets[symbol].tape.recent_aggs(from_id, limit)
            if recent is not None:
                return recent
        return await self._read(
            market_history.find_agg_trades, symbol, from_id, start_ns, end_ns, limit
        )

    async def candles(
        self,
        symbol: str,
        interval: str,
        start_ns: int | None,
        end_ns: int | None,
        limit: int,
        now_ns: int,
        offset_minutes: int = 0,
    ) -> list[Candle]:
        """Return the candles that open in [start_ns, end_ns], or the latest; gaps are filled."""
        query = market_history.CandleQuery(
            symbol=symbol,
            interval=interval,
            start_ns=start_ns,
            end_ns=end_ns,
            limit=min(limit, QUERY_ROWS),
            now_ns=now_ns,
            offset_ns=offset_minutes * MINUTE_NS,
        )
        return await self._read(market_history.find_candles, query, self._outage(now_ns))

    async def order(
        self, user_id: int, symbol: str, order_id: int | None, client_order_id: str | None
    ) -> OrderRow | None:
        """Return an open or ended order; by client id the latest that bears it."""
        waiting = None if order_id is None else self._pending.orders.get(order_id)
        if waiting is not None and not waiting.prevented_lots:
            values = self._pending.order_values(waiting)
            return user_history.owned_order(values, user_id, symbol, client_order_id)
        return await self._read(user_history.find_order, user_id, symbol, order_id, client_order_id)

    async def orders(
        self,
        user_id: int,
        symbol: str,
        from_order_id: int | None,
        start_ns: int | None,
        end_ns: int | None,
        limit: int,
    ) -> list[OrderRow]:
        """Return orders from an id on, or placed in [start_ns, end_ns], or the latest."""
        return await self._read(
            user_history.find_orders,
            user_id, symbol, from_order_id, start_ns, end_ns, min(limit, QUERY_ROWS),
        )  # fmt: skip

    async def user_trades(
        self,
        user_id: int,
        symbol: str,
        order_id: int | None,
        from_id: int | None,
        start_ns: int | None,
        end_ns: int | None,
        limit: int,
    ) -> list[UserTradeRow]:
        """Return the user's sides of trades: of one order, from an id on, in a time, or latest."""
        return await self._read(
            user_history.find_user_trades,
            user_id, symbol, order_id, from_id, start_ns, end_ns, min(limit, QUERY_ROWS),
        )  # fmt: skip

    async def order_list(
        self, user_id: int, order_list_id: int | None, list_client_order_id: str | None
    ) -> OrderListRow | None:
        return await self._read(
            user_history.find_order_list, user_id, order_list_id, list_client_order_id
        )

    async def order_lists(
        self,
        user_id: int,
        from_id: int | None,
        start_ns: int | None,
        end_ns: int | None,
        limit: int,
    ) -> list[OrderListRow]:
        return await self._read(
            user_history.find_order_lists,
            user_id, from_id, start_ns, end_ns, min(limit, QUERY_ROWS),
        )  # fmt: skip

    async def prevented_matches(
        self,
        user_id: int,
        symbol: str,
        prevented_match_id: int | None,
        order_id: int | None,
        from_id: int | None,
        limit: int,
    ) -> list[PreventedMatchRow]:
        """Return what self-trade prevention kept from the user's orders."""
        return await self._read(
            user_history.find_prevented_matches,
            user_id, symbol, prevented_match_id, order_id, from_id, min(limit, QUERY_ROWS),
        )  # fmt: skip

    # Events

    def _on_level(self, event: LevelChanged, _at_ns: int) -> None:
        self._markets[event.symbol].depth.apply(event)

    def _on_order(self, event: OrderAccepted | OrderTriggered | OrderAmended, _at_ns: int) -> None:
        order = event.order
        self._pending.orders[order.order_id] = order

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

    async def _read(
        self,
        query: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        if self._waiting:
            self._hand_over()
        return await asyncio.wrap_future(self._history.read(query, *args, **kwargs))

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

    def _outage(self, now_ns: int) -> Interruption | None:
        """Return the outage that lasts at this moment, by the reader's clock."""
        if now_ns - self.at_ns <= SILENCE_NS or not self.at_ns:
            return None
        return Interruption(ALL_MARKETS, self.at_ns, now_ns + 1, "exchange down")
