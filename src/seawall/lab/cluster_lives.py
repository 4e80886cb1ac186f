"""The lives of a simulated cluster's orders, as their clients saw them.  The rule: clients know no
journal.

Turns what was asked and told into histories for the linearizability check, which then has to find
by itself an order of events that explains them.  That the journal's own order is one is the
auditor's to show; this is the same question, asked without the journal.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from seawall.core.spot_state import SpotState
from seawall.journal.port import Entry
from seawall.lab.linearizability import Operation, check_parts
from seawall.lab.sequential import Asked, OrderAsked, OrderLife, OrderTold, Phase
from seawall.model.commands import CancelOpenOrders, CancelOrder, Command, PlaceOrder
from seawall.model.events import CommandRejected, Event, OrderCanceled
from seawall.model.orders import Order
from seawall.node.cell import spot_cell

Life = Operation[OrderAsked, OrderTold]
LARGEST: int = 1 << 40
"""A size that no order of a simulation has, for those that were never placed."""


class Told(Protocol):
    """What a client asked of the spot cell, and what it was told."""

    @property
    def command(self) -> Command: ...
    @property
    def asked_s(self) -> float: ...
    @property
    def told_s(self) -> float: ...
    @property
    def sequence(self) -> int: ...
    @property
    def unknown(self) -> bool: ...


def unexplained(operations: Sequence[Told], entries: Iterable[Entry]) -> list[str]:
    """Return the orders whose answers no one order of events explains, and why."""
    found = check_parts(
        order_lives(operations, entries), lambda each: each.input.order, OrderLife()
    )
    return [f"order {name}: {violation}" for name, violation in found.items()]


def order_lives(operations: Sequence[Told], entries: Iterable[Entry]) -> list[Life]:
    """Return every question about an order, with what its command was answered."""
    by_sequence = {each.sequence: each for each in operations if each.sequence}
    sizes = {
        _name(each.command.user_id, each.command.terms.client_order_id): each.command.terms.size
        or LARGEST
        for each in operations
        if isinstance(each.command, PlaceOrder)
    }
    lives: list[Life] = []
    cell = spot_cell()
    for entry in entries:
        record = cell.decode(entry.payload)
        events = cell.commit(record, entry.sequence)
        told = by_sequence.get(entry.sequence)
        if told is not None:
            for asked, name, answer in _answers(cell.state, told.command, events):
                lives.append(_life(told, asked, name, answer, sizes))
    for each in operations:
        if not each.sequence and (each.unknown or not each.told_s):
            for asked, name in _touched(each.command, sizes):
                lives.append(_life(each, asked, name, None, sizes))
    return lives


def _life(
    told: Told, asked: Asked, name: str, answer: OrderTold | None, sizes: dict[str, int]
) -> Life:
    return Operation(
        call_s=told.asked_s,
        return_s=None if answer is None else told.told_s,
        input=OrderAsked(asked, name, sizes.get(name, LARGEST)),
        output=answer,
    )


def _answers(
    state: SpotState, command: Command, events: Sequence[Event]
) -> Iterator[tuple[Asked, str, OrderTold]]:
    """Yield what an answer says of each order that it names."""
    refused = any(isinstance(event, CommandRejected) for event in events)
    match command:
        case PlaceOrder():
            name = _name(command.user_id, command.terms.client_order_id)
            told = OrderTold(Phase.REFUSED) if refused else _placed(state, events)
            yield Asked.PLACE, name, told
        case CancelOrder(client_order_id=str(named)) if refused:
            yield Asked.CANCEL, _name(command.user_id, named), OrderTold(Phase.REFUSED)
        case CancelOrder() | CancelOpenOrders():
            for event in events:
                if isinstance(event, OrderCanceled):
                    order = event.order
                    told = OrderTold(Phase.CANCELED, _executed(state, order))
                    yield Asked.CANCEL, _name(order.user_id, order.client_order_id), told


def _placed(state: SpotState, events: Sequence[Event]) -> OrderTold:
    order: Order = next(event.order for event in events if hasattr(event, "order"))
    executed = _executed(state, order)
    if order.order_id in state.accounts[order.user_id].open_orders:
        return OrderTold(Phase.OPEN, executed)
    done = order.filled_lots == order.size_lots
    return OrderTold(Phase.FILLED if done else Phase.EXPIRED, executed)


def _executed(state: SpotState, order: Order) -> int:
    return order.filled_lots * state.markets[order.symbol].instrument.lot_size


def _touched(command: Command, sizes: Iterable[str]) -> Iterator[tuple[Asked, str]]:
    """Yield what a command without an answer may have done."""
    match command:
        case PlaceOrder():
            yield Asked.PLACE, _name(command.user_id, command.terms.client_order_id)
        case CancelOrder(client_order_id=str(named)):
            yield Asked.CANCEL, _name(command.user_id, named)
        case CancelOpenOrders():
            for name in sizes:
                if name.startswith(f"{command.user_id} "):
                    yield Asked.CANCEL, name


def _name(user_id: int, client_order_id: str) -> str:
    return f"{user_id} {client_order_id}"
