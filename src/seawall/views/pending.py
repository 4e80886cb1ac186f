"""What waits to be written to history.  The rule: rows say what is true at the batch's last entry.

Trades are rows from the start; an order, however often it changed, becomes one row when the batch
is taken, between two entries, so that its state is that of the last one.
"""

from collections.abc import Iterable

from seawall.model.events import MatchPrevented, OrderAmended
from seawall.model.orders import Order, OrderList
from seawall.views.interruptions import Interruption
from seawall.views.market import MarketView
from seawall.views.trades import AggTrade, TradeTuple
from seawall.views.user_history import order_list_values, order_values


class Pending:
    """Changes since the last batch."""

    def __init__(self) -> None:
        self.trades: list[TradeTuple] = []
        self.agg_trades: list[AggTrade] = []
        self.orders: dict[int, Order] = {}
        self.end_reasons: dict[int, str] = {}
        self.order_lists: dict[int, tuple[OrderList, int]] = {}
        """With the time of their last change."""
        self.interruptions: list[Interruption] = []
        self._amendments: list[tuple[object, ...]] = []
        self._prevented: list[tuple[object, ...]] = []
        self._prevented_orders: list[tuple[object, ...]] = []

    def amended(self, event: OrderAmended, sequence: int, at_ns: int) -> None:
        order = event.order
        self.orders[order.order_id] = order
        self._amendments.append(
            (
                order.order_id, sequence, order.user_id, order.symbol,
                event.previous_client_order_id, event.client_order_id, event.previous_lots,
                event.size_lots, at_ns,
            )
        )  # fmt: skip

    def prevented(self, event: MatchPrevented, at_ns: int) -> None:
        taker, maker = event.taker, event.maker
        match_id = event.prevented_match_id
        self._prevented.append(
            (
                event.symbol, match_id, taker.order_id, maker.order_id, taker.user_id,
                maker.user_id, str(event.mode), event.price_ticks, event.taker_lots,
                event.maker_lots, at_ns,
            )
        )  # fmt: skip
        for order, lots in ((taker, event.taker_lots), (maker, event.maker_lots)):
            self.orders[order.order_id] = order
            if lots:
                self._prevented_orders.append((match_id, order.order_id))

    def order_values(self, order: Order) -> tuple[object, ...]:
        return order_values(order, self.end_reasons.get(order.order_id, ""))

    def take_rows(self, markets: Iterable[MarketView]) -> dict[str, list[tuple[object, ...]]]:
        """Return all rows by table, in the order in which they must be written."""
        return {
            "trades": list(self.trades),
            "agg_trades": [_agg_values(agg) for agg in self.agg_trades],
            "amendments": self._amendments,
            "prevented_matches": self._prevented,
            "candles": [row for market in markets for row in _candle_values(market)],
            "interruptions": [
                (found.symbol, found.from_ns, found.to_ns, found.reason)
                for found in self.interruptions
            ],
            "order_lists": [order_list_values(*found) for found in self.order_lists.values()],
            "orders": [self.order_values(order) for order in self.orders.values()],
            "prevented_orders": self._prevented_orders,
        }


def _agg_values(agg: AggTrade) -> tuple[object, ...]:
    first = agg.first
    return (
        first[0], agg.agg_id, first[2], agg.size_lots, agg.quote_atoms, first[1],
        agg.last_trade_id, first[5], first[6],
    )  # fmt: skip


def _candle_values(market: MarketView) -> list[tuple[object, ...]]:
    return [
        (
            market.symbol, interval, bar.open_ns, bar.end_ns, bar.open_ticks, bar.high_ticks,
            bar.low_ticks, bar.close_ticks, bar.size_lots, bar.quote_atoms, bar.trade_count,
            bar.taker_buy_lots, bar.taker_buy_quote, bar.first_trade_id, bar.last_trade_id,
        )
        for interval, bar in market.forming.take_changed()
    ]  # fmt: skip
