"""User data.  The rule: sans-I/O; one journal entry in, each user's messages out, in order.

`translate` reads an entry's events while the state stands exactly at that entry, as every listener
does.  What an order was at its own moment comes from the event, not from the order, which may have
moved on within the same command.
"""

from collections.abc import Container
from typing import Final

from msgspec import Struct

from seawall.core.spot_state import SpotState
from seawall.gateway.encode import ZERO, amount_text, scale_of
from seawall.gateway.errors import REJECTIONS
from seawall.model.commands import CancelReplaceOrder, Command, Deliver
from seawall.model.events import (
    BalanceChanged,
    CancelReplaceDecided,
    Credited,
    Event,
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
from seawall.model.funding import TransferState
from seawall.model.funding_events import MessageDelivered, TransferRequested, TransferSettled
from seawall.model.ids import NO_ORDER_LIST
from seawall.model.orders import Order, OrderList
from seawall.model.trading import Contingency, OrderStatus, OrderType

Message = dict[str, object]

_CONDITIONAL_TYPES: Final = frozenset(
    {
        OrderType.STOP_LOSS,
        OrderType.STOP_LOSS_LIMIT,
        OrderType.TAKE_PROFIT,
        OrderType.TAKE_PROFIT_LIMIT,
    }
)
_MOVED: Final = (TransferRequested, MessageDelivered, TransferSettled)
_WORKING: Final = frozenset({OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED})


class _Moment(Struct, kw_only=True):
    """What an order was when its event happened."""

    execution: str
    status: OrderStatus
    size_lots: int
    filled_lots: int = 0
    filled_quote: int = 0
    prevented_lots: int = 0
    working: bool = False
    """Whether it stands in the book."""
    client_order_id: str = ""
    """Replaces the order's own."""
    original_client_order_id: str = ""


class _Running:
    """How far each order has come within the entry."""

    def __init__(self, events: list[Event]) -> None:
        self.filled: dict[int, tuple[int, int]] = {}
        """Lots and quote atoms."""
        self.prevented: dict[int, int] = {}
        self.reported_ended: set[int] = set()
        """Orders whose end a TRADE_PREVENTION has told."""
        self.last_trade: dict[int, Event] = {}
        self.last_prevented: dict[int, Event] = {}
        for event in events:
            if isinstance(event, Traded):
                self.last_trade[event.taker.order_id] = event
                self.last_trade[event.maker.order_id] = event
            elif isinstance(event, MatchPrevented):
                self.last_prevented[event.taker.order_id] = event
                self.last_prevented[event.maker.order_id] = event


class Translator:
    """Turns the events of one entry into messages, for the users that are listened to."""

    def __init__(
        self,
        state: SpotState,
        *,
        wanted: Container[int],
        sequence: int,
        at_ns: int,
        unit_ns: int,
    ) -> None:
        self._state = state
        self._wanted = wanted
        self._sequence = sequence
        self._at_ns = at_ns
        self._at = at_ns // unit_ns
        self._unit_ns = unit_ns
        self._messages: list[tuple[int, Message]] = []
        self._positions: dict[int, list[BalanceChanged]] = {}
        self._running = _Running([])

    def translate(self, command: Command, events: list[Event]) -> list[tuple[int, Message]]:
        """Return (user, message) pairs in the order they are to be sent."""
        self._running = _Running(events)
        credited: list[tuple[int, str, int]] = []
        decided: CancelReplaceDecided | None = None
        for event in events:
            if isinstance(event, BalanceChanged):
                if event.user_id in self._wanted:
                    self._positions.setdefault(event.user_id, []).append(event)
            elif isinstance(event, Credited):
                credited.append((event.user_id, event.asset, event.atoms))
            elif isinstance(event, _MOVED):
                credited += _moved(event, command)
            elif isinstance(event, CancelReplaceDecided):
                decided = event
            else:
                self._order_event(event)
        if decided is not None:
            self._replace_rejected(command, decided)
        for user_id, changes in self._positions.items():
            self._messages.append((user_id, self._account_position(changes)))
        for user_id, asset, atoms in credited:
            self._balance_update(user_id, asset, atoms)
        return self._messages

    def _order_event(self, event: Event) -> None:
        if isinstance(event, OrderAccepted):
            self._accepted(event.order)
        elif isinstance(event, OrderTriggered):
            self._triggered(event.order)
        elif isinstance(event, Traded):
            self._traded(event)
        elif isinstance(event, OrderCanceled):
            self._canceled(event)
        elif isinstance(event, OrderExpired):
            self._expired(event)
        elif isinstance(event, OrderAmended):
            self._amended(event)
        elif isinstance(event, MatchPrevented):
            self._prevented(event)
        elif isinstance(event, OrderListStarted):
            self._list_status(event.order_list, "EXEC_STARTED", "EXECUTING")
        elif isinstance(event, OrderListDone):
            self._list_status(event.order_list, "ALL_DONE", "ALL_DONE")

    def _accepted(self, order: Order) -> None:
        pending = _is_pending(order)
        status = OrderStatus.PENDING_NEW if pending else OrderStatus.NEW
        working = not pending and order.order_type not in _CONDITIONAL_TYPES
        moment = _Moment(execution="NEW", status=status, size_lots=order.size_lots, working=working)
        self._running.filled[order.order_id] = (0, 0)
        self._report(order, moment)

    def _triggered(self, order: Order) -> None:
        still_waits = order.order_type in _CONDITIONAL_TYPES and order.working_ns < 0
        moment = self._now(order, "NEW")
        moment.status = OrderStatus.NEW
        moment.working = not still_waits
        self._report(order, moment)

    def _traded(self, event: Traded) -> None:
        sides = (
            (event.taker, event.taker_filled_lots, event.taker_filled_quote, event.taker_fee_atoms),
            (event.maker, event.maker_filled_lots, event.maker_filled_quote, event.maker_fee_atoms),
        )
        for order, filled_lots, filled_quote, fee_atoms in sides:
            self._running.filled[order.order_id] = (filled_lots, filled_quote)
            if order.user_id not in self._wanted:
                continue
            moment = self._now(order, "TRADE")
            last = self._running.last_trade[order.order_id] is event
            if last and order.status is OrderStatus.FILLED:
                moment.status = OrderStatus.FILLED
            else:
                moment.status = OrderStatus.PARTIALLY_FILLED
            moment.working = moment.status in _WORKING
            self._report(order, moment, trade=event, fee_atoms=fee_atoms)

    def _canceled(self, event: OrderCanceled) -> None:
        order = event.order
        moment = self._now(order, "CANCELED")
        moment.status = OrderStatus.CANCELED
        moment.client_order_id = event.cancel_client_order_id or order.client_order_id
        moment.original_client_order_id = order.client_order_id
        self._report(order, moment)

    def _expired(self, event: OrderExpired) -> None:
        order = event.order
        if order.order_id in self._running.reported_ended:
            return
        moment = self._now(order, "EXPIRED")
        moment.status = order.status
        self._report(order, moment)

    def _amended(self, event: OrderAmended) -> None:
        moment = _Moment(
            execution="REPLACED",
            status=event.status,
            size_lots=event.size_lots,
            filled_lots=event.filled_lots,
            filled_quote=event.filled_quote,
            prevented_lots=event.prevented_lots,
            working=event.working_ns >= 0,
            client_order_id=event.client_order_id,
            original_client_order_id=event.previous_client_order_id,
        )
        self._report(event.order, moment)

    def _prevented(self, event: MatchPrevented) -> None:
        sides = (
            (event.taker, event.maker, event.taker_lots, event.taker_prevented_lots),
            (event.maker, event.taker, event.maker_lots, event.maker_prevented_lots),
        )
        for order, counter, lots, prevented_lots in sides:
            if lots == 0:
                continue
            self._running.prevented[order.order_id] = prevented_lots
            ended = (
                order.status is OrderStatus.EXPIRED_IN_MATCH
                and self._running.last_prevented[order.order_id] is event
            )
            if ended:
                self._running.reported_ended.add(order.order_id)
            if order.user_id not in self._wanted:
                continue
            moment = self._now(order, "TRADE_PREVENTION")
            if ended:
                moment.status = OrderStatus.EXPIRED_IN_MATCH
            moment.working = moment.status in _WORKING
            self._report(order, moment, prevented=event, counter=counter, prevented_lots=lots)

    def _now(self, order: Order, execution: str) -> _Moment:
        """Return where the order stands at this point of the entry."""
        filled = self._running.filled.get(order.order_id)
        filled_lots, filled_quote = filled or (order.filled_lots, order.filled_quote)
        return _Moment(
            execution=execution,
            status=OrderStatus.PARTIALLY_FILLED if filled_lots else OrderStatus.NEW,
            size_lots=order.size_lots,
            filled_lots=filled_lots,
            filled_quote=filled_quote,
            prevented_lots=self._running.prevented.get(order.order_id, order.prevented_lots),
        )

    def _report(
        self,
        order: Order,
        moment: _Moment,
        *,
        trade: Traded | None = None,
        fee_atoms: int = 0,
        prevented: MatchPrevented | None = None,
        counter: Order | None = None,
        prevented_lots: int = 0,
    ) -> None:
        if order.user_id not in self._wanted:
            return
        message = self._execution_report(order, moment, trade, fee_atoms)
        self._add_conditional(order, message, moment)
        if prevented is not None and counter is not None:
            scale = scale_of(self._state.markets[order.symbol].instrument)
            message["v"] = prevented.prevented_match_id
            message["A"] = scale.size(moment.prevented_lots)
            message["B"] = scale.size(prevented_lots)
            message["u"] = self._trade_group(order.user_id)
            message["U"] = counter.order_id
            message["Cs"] = counter.symbol
        self._messages.append((order.user_id, message))

    def _execution_report(
        self, order: Order, moment: _Moment, trade: Traded | None, fee_atoms: int
    ) -> Message:
        market = self._state.markets[order.symbol]
        scale = scale_of(market.instrument)
        fee_asset = self._state.assets[market.base if order.is_buy else market.quote]
        order_list = order.order_list
        return {
            "e": "executionReport",
            "E": self._at,
            "s": order.symbol,
            "c": moment.client_order_id or order.client_order_id,
            "S": "BUY" if order.is_buy else "SELL",
            "o": order.order_type,
            "f": order.time_in_force,
            "q": scale.size(moment.size_lots),
            "p": scale.price(order.price_ticks),
            "P": scale.price(order.stop_ticks),
            "F": scale.size(order.iceberg_lots),
            "g": NO_ORDER_LIST if order_list is None else order_list.order_list_id,
            "C": moment.original_client_order_id,
            "x": moment.execution,
            "X": moment.status,
            "r": "NONE",
            "i": order.order_id,
            "l": ZERO if trade is None else scale.size(trade.size_lots),
            "z": scale.size(moment.filled_lots),
            "L": ZERO if trade is None else scale.price(trade.price_ticks),
            "n": "0" if trade is None else amount_text(fee_asset, fee_atoms),
            "N": None if trade is None else fee_asset.code,
            "T": self._at,
            "t": -1 if trade is None else trade.trade_id,
            "I": self._sequence,
            "w": moment.working,
            "m": trade is not None and trade.maker is order,
            "M": trade is not None,
            "O": order.created_ns // self._unit_ns,
            "Z": scale.quote(moment.filled_quote),
            "Y": ZERO if trade is None else scale.quote(trade.quote_atoms),
            "Q": scale.quote(order.quote_amount),
            "V": order.stp_mode,
        }

    def _add_conditional(self, order: Order, message: Message, moment: _Moment) -> None:
        """Add the fields that Binance shows only where they apply."""
        if order.working_ns >= 0 and (moment.working or moment.execution != "NEW"):
            message["W"] = order.working_ns // self._unit_ns
        if order.trailing_bps > 0:
            message["d"] = order.trailing_bps
            message["D"] = order.created_ns // self._unit_ns if order.trail_ticks > 0 else -1
        if order.strategy_id >= 0:
            message["j"] = order.strategy_id
        if order.strategy_type >= 0:
            message["J"] = order.strategy_type

    def _trade_group(self, user_id: int) -> int:
        account = self._state.accounts.get(user_id)
        return account.trade_group if account is not None and account.trade_group else -1

    def _replace_rejected(self, command: Command, event: CancelReplaceDecided) -> None:
        """Tell of a new order that was refused although the old one was canceled."""
        if not isinstance(command, CancelReplaceOrder) or event.place_reason is None:
            return
        place = command.place
        if event.cancel_reason is not None or place.user_id not in self._wanted:
            return
        terms = place.terms
        market = self._state.markets[place.symbol]
        scale = scale_of(market.instrument)
        text = REJECTIONS[event.place_reason][1]
        message: Message = {
            "e": "executionReport",
            "E": self._at,
            "s": place.symbol,
            "c": terms.client_order_id,
            "S": terms.side,
            "o": terms.type,
            "f": terms.time_in_force or "GTC",
            "q": scale.base(terms.size or 0),
            "p": scale.prices(terms.price or 0),
            "P": scale.prices(terms.stop_price or 0),
            "F": scale.base(terms.iceberg_size or 0),
            "g": NO_ORDER_LIST,
            "C": "",
            "x": "REJECTED",
            "X": OrderStatus.REJECTED,
            "r": text,
            "i": -1,
            "l": ZERO,
            "z": ZERO,
            "L": ZERO,
            "n": "0",
            "N": None,
            "T": self._at,
            "t": -1,
            "I": self._sequence,
            "w": False,
            "m": False,
            "M": False,
            "O": self._at,
            "Z": ZERO,
            "Y": ZERO,
            "Q": scale.quote(terms.quote_amount or 0),
            "V": place.stp_mode or market.instrument.stp_default,
        }
        self._messages.append((place.user_id, message))

    def _list_status(self, order_list: OrderList, list_status: str, order_status: str) -> None:
        if order_list.user_id not in self._wanted:
            return
        message: Message = {
            "e": "listStatus",
            "E": self._at,
            "s": order_list.symbol,
            "g": order_list.order_list_id,
            "c": order_list.contingency,
            "l": list_status,
            "L": order_status,
            "r": "NONE",
            "C": order_list.list_client_order_id,
            "T": self._at,
            "O": [
                {"s": order.symbol, "i": order.order_id, "c": order.client_order_id}
                for order in order_list.orders
            ],
        }
        self._messages.append((order_list.user_id, message))

    def _account_position(self, changes: list[BalanceChanged]) -> Message:
        assets = self._state.assets
        return {
            "e": "outboundAccountPosition",
            "E": self._at,
            "u": self._at,
            "B": [
                {
                    "a": change.asset,
                    "f": amount_text(assets[change.asset], change.free),
                    "l": amount_text(assets[change.asset], change.held),
                }
                for change in changes
            ],
        }

    def _balance_update(self, user_id: int, asset: str, atoms: int) -> None:
        """Tell of money that came or went otherwise than by trading."""
        if user_id not in self._wanted:
            return
        message: Message = {
            "e": "balanceUpdate",
            "E": self._at,
            "a": asset,
            "d": amount_text(self._state.assets[asset], atoms),
            "T": self._at,
        }
        self._messages.append((user_id, message))


def _moved(
    event: TransferRequested | MessageDelivered | TransferSettled, command: Command
) -> list[tuple[int, str, int]]:
    """Return what a transfer to or from another cell did to a user's balance."""
    if isinstance(event, MessageDelivered):
        if event.repeated or event.refusal or not isinstance(command, Deliver):
            return []
        message = command.message
        return [(message.user_id, message.asset, message.atoms)]
    transfer = event.transfer
    if isinstance(event, TransferRequested):
        atoms = 0 if event.repeated else -transfer.atoms
    else:
        atoms = transfer.atoms if transfer.state is TransferState.RETURNED else 0
    return [(transfer.user_id, transfer.asset, atoms)] if atoms else []


def _is_pending(order: Order) -> bool:
    """Whether the order was accepted to wait for another of its list to fill."""
    order_list = order.order_list
    if order_list is None or order_list.contingency is Contingency.OCO:
        return False
    return order_list.orders[0] is not order
