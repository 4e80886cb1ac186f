"""How orders are shown.  The rule: an answer says what was true at its own command.

Events point to orders that later commands of the same batch may have changed before the answer
is written.  So what a command did is read from its events; an order's own fields are read only
where they never change, or when it has ended.
"""

from collections.abc import Iterable

from seawall.core.spot_state import Market
from seawall.gateway.encode import ZERO, Scale, scale_of
from seawall.gateway.params import Params
from seawall.model.commands import OrderTerms
from seawall.model.events import (
    BalanceChanged,
    Event,
    LevelChanged,
    MatchPrevented,
    OrderCanceled,
    OrderExpired,
    OrderTriggered,
    Traded,
)
from seawall.model.ids import NO_ORDER_LIST
from seawall.model.orders import Order
from seawall.model.trading import OrderStatus, OrderType, Side
from seawall.views.rows import OrderRow

ACK = "ACK"
RESULT = "RESULT"
FULL = "FULL"
RESPONSE_TYPES = (ACK, RESULT, FULL)

_STOPS = frozenset(
    {
        OrderType.STOP_LOSS,
        OrderType.STOP_LOSS_LIMIT,
        OrderType.TAKE_PROFIT,
        OrderType.TAKE_PROFIT_LIMIT,
    }
)
_NOT_OF_ORDERS = (BalanceChanged, LevelChanged)
"""The events that there are most of; none is about one order."""
_FULL_BY_DEFAULT = frozenset({OrderType.LIMIT, OrderType.MARKET})


class Outcome:
    """What one command's events did to one order."""

    __slots__ = (
        "filled_lots",
        "filled_quote",
        "prevented_lots",
        "prevented_match_id",
        "status",
        "trades",
        "triggered",
    )

    def __init__(self, order: Order, events: Iterable[Event]) -> None:
        self.filled_lots = 0
        self.filled_quote = 0
        self.prevented_lots = 0
        self.prevented_match_id = -1
        self.status: OrderStatus | None = None
        """Set if the order was expired or canceled."""
        self.triggered = False
        self.trades: list[Traded] = []
        for event in events:
            if isinstance(event, _NOT_OF_ORDERS):
                continue
            if isinstance(event, Traded):
                self._take_trade(order, event)
            elif isinstance(event, OrderExpired | OrderCanceled):
                if event.order is order:
                    self.status = order.status
                    self.prevented_lots = order.prevented_lots
            elif isinstance(event, OrderTriggered):
                self.triggered = self.triggered or event.order is order
            elif isinstance(event, MatchPrevented):
                self._take_prevented(order, event)

    def _take_trade(self, order: Order, event: Traded) -> None:
        if event.taker is order:
            self.filled_lots = event.taker_filled_lots
            self.filled_quote = event.taker_filled_quote
            self.trades.append(event)
        elif event.maker is order:
            self.filled_lots = event.maker_filled_lots
            self.filled_quote = event.maker_filled_quote
            self.trades.append(event)

    def _take_prevented(self, order: Order, event: MatchPrevented) -> None:
        if event.taker is order:
            self.prevented_lots = event.taker_prevented_lots
            self.prevented_match_id = event.prevented_match_id
        elif event.maker is order:
            self.prevented_lots = event.maker_prevented_lots
            self.prevented_match_id = event.prevented_match_id


def accepted(
    market: Market,
    order: Order,
    terms: OrderTerms,
    events: list[Event],
    at_ns: int,
    params: Params,
    response: str | None,
    *,
    pending: bool = False,
) -> dict[str, object]:
    """Answer a new order; `response` is newOrderRespType, None for the type's own."""
    kind = response or (FULL if order.order_type in _FULL_BY_DEFAULT else ACK)
    at = params.time(at_ns)
    answer: dict[str, object] = {
        "symbol": market.symbol,
        "orderId": order.order_id,
        "orderListId": list_id(order),
        "clientOrderId": terms.client_order_id,
        "transactTime": at,
    }
    if kind == ACK:
        return answer
    scale = scale_of(market.instrument)
    outcome = Outcome(order, events)
    lots = outcome.filled_lots
    if terms.size is not None:
        lots = terms.size // market.lot_size
    answer["price"] = ZERO if terms.price is None else scale.prices(terms.price)
    answer["origQty"] = scale.size(lots)
    answer["executedQty"] = scale.size(outcome.filled_lots)
    answer["origQuoteOrderQty"] = scale.quote(terms.quote_amount or 0)
    answer["cummulativeQuoteQty"] = scale.quote(outcome.filled_quote)
    answer["status"] = _status(outcome, lots, pending)
    answer["timeInForce"] = order.time_in_force
    answer["type"] = order.order_type
    answer["side"] = terms.side
    _add_terms(answer, scale, terms)
    waits = order.order_type in _STOPS and not outcome.triggered
    answer["workingTime"] = -1 if waits or (pending and not outcome.triggered) else at
    if kind == FULL:
        answer["fills"] = [_fill(market, scale, order, trade) for trade in outcome.trades]
    answer["selfTradePreventionMode"] = order.stp_mode
    if outcome.prevented_match_id >= 0:
        answer["preventedMatchId"] = outcome.prevented_match_id
    if outcome.prevented_lots:
        answer["preventedQuantity"] = scale.size(outcome.prevented_lots)
    return answer


def canceled(
    market: Market, order: Order, cancel_client_order_id: str, at_ns: int, params: Params
) -> dict[str, object]:
    """Answer for an order that has been canceled: it has ended, so its fields stand still."""
    scale = scale_of(market.instrument)
    answer: dict[str, object] = {
        "symbol": market.symbol,
        "origClientOrderId": order.client_order_id,
        "orderId": order.order_id,
        "orderListId": list_id(order),
        "clientOrderId": cancel_client_order_id,
        "transactTime": params.time(at_ns),
        "price": scale.price(order.price_ticks),
        "origQty": scale.size(order.size_lots),
        "executedQty": scale.size(order.filled_lots),
        "origQuoteOrderQty": scale.quote(order.quote_amount),
        "cummulativeQuoteQty": scale.quote(order.filled_quote),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.order_type,
        "side": Side.BUY if order.is_buy else Side.SELL,
    }
    answer |= conditional(order, scale)
    answer["selfTradePreventionMode"] = order.stp_mode
    return answer


def conditional(order: Order | OrderRow, scale: Scale) -> dict[str, object]:
    """Show what only some orders have; none of it changes after acceptance."""
    shown: dict[str, object] = {}
    if order.stop_ticks:
        shown["stopPrice"] = scale.price(order.stop_ticks)
    if order.trailing_bps:
        shown["trailingDelta"] = order.trailing_bps
    if order.iceberg_lots:
        shown["icebergQty"] = scale.size(order.iceberg_lots)
    if order.strategy_id >= 0:
        shown["strategyId"] = order.strategy_id
    if order.strategy_type >= 0:
        shown["strategyType"] = order.strategy_type
    return shown


def list_id(order: Order) -> int:
    order_list = order.order_list
    return NO_ORDER_LIST if order_list is None else order_list.order_list_id


def row_answer(market: Market, row: OrderRow, params: Params) -> dict[str, object]:
    """Show an order as GET /api/v3/order does."""
    scale = scale_of(market.instrument)
    working = params.time(row.working_ns) if row.working_ns >= 0 else -1
    answer: dict[str, object] = {
        "symbol": row.symbol,
        "orderId": row.order_id,
        "orderListId": row.order_list_id,
        "clientOrderId": row.client_order_id,
        "price": scale.price(row.price_ticks),
        "origQty": scale.size(row.size_lots),
        "executedQty": scale.size(row.filled_lots),
        "cummulativeQuoteQty": scale.quote(row.filled_quote),
        "status": row.status,
        "timeInForce": row.time_in_force,
        "type": row.type,
        "side": row.side,
        "stopPrice": scale.price(row.stop_ticks),
        "icebergQty": scale.size(row.iceberg_lots),
        "time": params.time(row.created_ns),
        "updateTime": params.time(row.updated_ns),
        "isWorking": row.working_ns >= 0,
        "workingTime": working,
        "origQuoteOrderQty": scale.quote(row.quote_amount),
        "selfTradePreventionMode": row.stp_mode,
    }
    answer |= conditional(row, scale)
    if row.trail_ticks:
        answer["trailingTime"] = params.time(row.updated_ns)
    if row.prevented_match_id >= 0:
        answer["preventedMatchId"] = row.prevented_match_id
    if row.prevented_lots:
        answer["preventedQuantity"] = scale.size(row.prevented_lots)
    return answer


def live_row(order: Order) -> OrderRow:
    """Return an open order's row straight from the core's state."""
    return OrderRow(
        order_id=order.order_id,
        user_id=order.user_id,
        symbol=order.symbol,
        client_order_id=order.client_order_id,
        order_list_id=list_id(order),
        side=Side.BUY if order.is_buy else Side.SELL,
        type=order.order_type,
        time_in_force=order.time_in_force,
        status=order.status,
        price_ticks=order.price_ticks,
        size_lots=order.size_lots,
        quote_amount=order.quote_amount,
        stop_ticks=order.stop_ticks,
        trailing_bps=order.trailing_bps,
        trail_ticks=order.trail_ticks,
        iceberg_lots=order.iceberg_lots,
        stp_mode=order.stp_mode,
        strategy_id=order.strategy_id,
        strategy_type=order.strategy_type,
        filled_lots=order.filled_lots,
        filled_quote=order.filled_quote,
        prevented_lots=order.prevented_lots,
        triggered=order.triggered,
        created_ns=order.created_ns,
        updated_ns=order.updated_ns,
        working_ns=order.working_ns,
    )


def _status(outcome: Outcome, lots: int, pending: bool) -> OrderStatus:
    if outcome.status is not None:
        return outcome.status
    if outcome.filled_lots:
        done = outcome.filled_lots + outcome.prevented_lots >= lots
        return OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED
    if pending and not outcome.triggered:
        return OrderStatus.PENDING_NEW
    return OrderStatus.NEW


def _add_terms(answer: dict[str, object], scale: Scale, terms: OrderTerms) -> None:
    if terms.stop_price is not None:
        answer["stopPrice"] = scale.prices(terms.stop_price)
    if terms.trailing_bps is not None:
        answer["trailingDelta"] = terms.trailing_bps
        answer["trailingTime"] = -1
    if terms.iceberg_size is not None:
        answer["icebergQty"] = scale.base(terms.iceberg_size)
    if terms.strategy_id is not None:
        answer["strategyId"] = terms.strategy_id
    if terms.strategy_type is not None:
        answer["strategyType"] = terms.strategy_type


def _fill(market: Market, scale: Scale, order: Order, trade: Traded) -> dict[str, object]:
    fee = trade.taker_fee_atoms if trade.taker is order else trade.maker_fee_atoms
    return {
        "price": scale.price(trade.price_ticks),
        "qty": scale.size(trade.size_lots),
        "commission": scale.base(fee) if order.is_buy else scale.quote(fee),
        "commissionAsset": market.base if order.is_buy else market.quote,
        "tradeId": trade.trade_id,
    }
