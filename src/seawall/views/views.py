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
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from msgspec import structs

from seawall.model.limits import QUERY_ROWS
from seawall.views import market_history, user_history
from seawall.views.candles import candle, empty_candle
from seawall.views.depth import DepthDiff
from seawall.views.intake import Intake
from seawall.views.interruptions import ALL_MARKETS, SILENCE_NS, Interruption
from seawall.views.periods import MINUTE_NS, open_before, period_of
from seawall.views.rows import (
    AggTradeRow,
    AmendmentRow,
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
from seawall.views.trades import trade_row

P = ParamSpec("P")
T = TypeVar("T")


class Views(Intake):
    """All read models of the spot cell, as the gateway asks them."""

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

    def interruptions(self) -> list[Interruption]:
        """Return the latest ones of all markets, and those that were of all at once."""
        found = list(self._outages.recent)
        for market in self._markets.values():
            found += market.interruptions.recent
        return found

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
            found = candle(bar, self.at_ns)
        else:
            close_ticks = market.forming.close_before(interval, opened)
            if close_ticks is None:
                return None
            found = empty_candle(opened, ended, close_ticks, self.at_ns)
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
            now_ns=max(now_ns, self.at_ns),
            entry_ns=self.at_ns,
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

    async def amendments(
        self, user_id: int, symbol: str, order_id: int, from_id: int | None, limit: int
    ) -> list[AmendmentRow]:
        """Return how one order was amended, from an execution id on."""
        return await self._read(
            user_history.find_amendments, user_id, symbol, order_id, from_id, min(limit, QUERY_ROWS)
        )

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

    def _outage(self, now_ns: int) -> Interruption | None:
        """Return the outage that lasts at this moment, by the reader's clock."""
        if now_ns - self.at_ns <= SILENCE_NS or not self.at_ns:
            return None
        return Interruption(ALL_MARKETS, self.at_ns, now_ns + 1, "exchange down")
