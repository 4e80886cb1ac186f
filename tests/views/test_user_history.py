"""What users ask about themselves, against what the events said."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.views.flow import SECOND, START_NS, USERS, Exchange, Step, flows

from seawall.model.events import (
    Event,
    MatchPrevented,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderListStarted,
)
from seawall.model.orders import Order
from seawall.model.trading import OrderStatus, Side, StpMode
from seawall.views.rows import AmendmentRow, OrderRow, UserTradeRow
from seawall.views.views import Views

OPEN = (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.PENDING_NEW)


class Notes:
    """All that the events ever named."""

    def __init__(self) -> None:
        self.orders: dict[int, Order] = {}
        self.reasons: dict[int, str] = {}
        self.prevented: list[tuple[int, MatchPrevented]] = []
        self.lists: dict[int, list[int]] = {}
        self.amended: list[AmendmentRow] = []

    def take(self, sequence: int, at_ns: int, events: list[Event]) -> None:
        for event in events:
            match event:
                case OrderAccepted():
                    self.orders[event.order.order_id] = event.order
                case OrderCanceled() | OrderExpired():
                    self.reasons[event.order.order_id] = event.reason
                case MatchPrevented():
                    self.prevented.append((at_ns, event))
                case OrderAmended():
                    self.amended.append(
                        AmendmentRow(
                            order_id=event.order.order_id,
                            execution_id=sequence,
                            user_id=event.order.user_id,
                            symbol=event.order.symbol,
                            previous_client_order_id=event.previous_client_order_id,
                            client_order_id=event.client_order_id,
                            previous_lots=event.previous_lots,
                            size_lots=event.size_lots,
                            at_ns=at_ns,
                        )
                    )
                case OrderListStarted():
                    found = event.order_list
                    self.lists[found.order_list_id] = [one.order_id for one in found.orders]

    def row(self, order: Order) -> OrderRow:
        waits = order.working_ns < 0 and order.status in OPEN
        kept_apart = [
            event.prevented_match_id
            for _, event in self.prevented
            if event.symbol == order.symbol
            and order
            in (event.taker if event.taker_lots else 0, event.maker if event.maker_lots else 0)
        ]
        same = {
            name: getattr(order, name)
            for name in OrderRow.__struct_fields__
            if hasattr(order, name)
        }
        return OrderRow(
            **same
            | {
                "order_list_id": order.order_list.order_list_id if order.order_list else -1,
                "side": Side.BUY if order.is_buy else Side.SELL,
                "type": order.order_type,
                "trail_ticks": 0 if waits else order.trail_ticks,
                "prevented_match_id": kept_apart[-1] if kept_apart else -1,
                "end_reason": self.reasons.get(order.order_id, ""),
            }
        )

    def of(self, user: int, symbol: str, wanted: Callable[[Order], bool]) -> list[OrderRow]:
        return [
            self.row(order)
            for order in self.orders.values()
            if order.user_id == user and order.symbol == symbol and wanted(order)
        ]


def naive_sides(exchange: Exchange, user: int, symbol: str) -> list[UserTradeRow]:
    found = []
    for at_ns, trade in exchange.trades:
        sides = ((trade.taker, False, trade.taker_fee_atoms),
                 (trade.maker, True, trade.maker_fee_atoms))  # fmt: skip
        for order, is_maker, fee_atoms in sides:
            if order.user_id != user or trade.symbol != symbol:
                continue
            found.append(
                UserTradeRow(
                    symbol=symbol,
                    trade_id=trade.trade_id,
                    order_id=order.order_id,
                    order_list_id=order.order_list.order_list_id if order.order_list else -1,
                    price_ticks=trade.price_ticks,
                    size_lots=trade.size_lots,
                    quote_atoms=trade.quote_atoms,
                    fee_atoms=fee_atoms,
                    at_ns=at_ns,
                    is_buyer=order.is_buy,
                    is_maker=is_maker,
                )
            )
    return found


async def check_orders(views: Views, notes: Notes, user: int, symbol: str) -> None:
    mine = notes.of(user, symbol, lambda order: True)
    assert await views.orders(user, symbol, None, None, None, 1_000) == mine
    assert await views.orders(user, symbol, None, None, None, 2) == mine[-2:]
    if not mine:
        return
    middle = mine[len(mine) // 2]
    later = [one for one in mine if one.order_id >= middle.order_id]
    assert await views.orders(user, symbol, middle.order_id, None, None, 2) == later[:2]
    placed = [one for one in mine if one.created_ns >= middle.created_ns]
    assert await views.orders(user, symbol, None, middle.created_ns, None, 2) == placed[:2]
    sooner = [one for one in mine if one.created_ns <= middle.created_ns]
    assert await views.orders(user, symbol, None, None, middle.created_ns, 2) == sooner[-2:]
    assert await views.order(user, symbol, middle.order_id, None) == middle
    bearer = [one for one in mine if one.client_order_id == middle.client_order_id][-1]
    assert await views.order(user, symbol, None, middle.client_order_id) == bearer
    assert await views.order(user, symbol, middle.order_id, middle.client_order_id) == middle
    assert await views.order(user, symbol, middle.order_id, "another") is None
    assert await views.order(user + 1, symbol, middle.order_id, None) is None
    assert await views.order(user, "XX", middle.order_id, None) is None


async def check_trades(views: Views, exchange: Exchange, user: int, symbol: str) -> None:
    mine = naive_sides(exchange, user, symbol)
    ask = views.user_trades
    assert await ask(user, symbol, None, None, None, None, 1_000) == mine
    assert await ask(user, symbol, None, None, None, None, 3) == mine[-3:]
    if not mine:
        return
    middle = mine[len(mine) // 2]
    later = [one for one in mine if one.trade_id >= middle.trade_id]
    assert await ask(user, symbol, None, middle.trade_id, None, None, 3) == later[:3]
    made = [one for one in mine if one.at_ns >= middle.at_ns]
    assert await ask(user, symbol, None, None, middle.at_ns, None, 3) == made[:3]
    sooner = [one for one in mine if one.at_ns <= middle.at_ns]
    assert await ask(user, symbol, None, None, None, middle.at_ns, 3) == sooner[-3:]
    of_order = [one for one in mine if one.order_id == middle.order_id]
    assert await ask(user, symbol, middle.order_id, None, None, None, 1_000) == of_order
    assert await ask(user, symbol, 10**9, None, None, None, 1_000) == []


async def check_prevented(views: Views, notes: Notes, user: int, symbol: str) -> None:
    mine = [
        event
        for _, event in notes.prevented
        if event.symbol == symbol and user in (event.taker.user_id, event.maker.user_id)
    ]
    found = await views.prevented_matches(user, symbol, None, None, None, 1_000)
    shown = [(one.prevented_match_id, one.taker_lots, one.maker_lots) for one in found]
    assert shown == [(one.prevented_match_id, one.taker_lots, one.maker_lots) for one in mine]
    for event in mine[-2:]:
        by_id = await views.prevented_matches(user, symbol, event.prevented_match_id, None, None, 9)
        assert [one.taker_order_id for one in by_id] == [event.taker.order_id]
        by_order = await views.prevented_matches(user, symbol, None, event.maker.order_id, 1, 1_000)
        assert [one.prevented_match_id for one in by_order] == [
            one.prevented_match_id
            for one in mine
            if event.maker.order_id in (one.taker.order_id, one.maker.order_id)
        ]


async def check_amendments(views: Views, notes: Notes) -> None:
    for last in notes.amended:
        mine = [one for one in notes.amended if one.order_id == last.order_id]
        ask = (last.user_id, last.symbol, last.order_id)
        assert await views.amendments(*ask, None, 1_000) == mine
        assert await views.amendments(*ask, last.execution_id, 1) == [last]
        assert await views.amendments(last.user_id + 1, *ask[1:], None, 9) == []
        assert await views.amendments(last.user_id, "XX", last.order_id, None, 9) == []


async def check_lists(views: Views, notes: Notes, exchange: Exchange) -> None:
    for user in USERS:
        found = await views.order_lists(user, None, None, None, 1_000)
        for one in found:
            assert [order_id for order_id, _ in one.orders] == notes.lists.pop(one.order_list_id)
            orders = [notes.orders[order_id] for order_id, _ in one.orders]
            assert [name for _, name in one.orders] == [order.client_order_id for order in orders]
            assert one.status == orders[0].order_list.status  # type: ignore[union-attr]  # it has one
            assert await views.order_list(user, one.order_list_id, None) == one
            assert await views.order_list(user + 1, one.order_list_id, None) is None
        if found:
            first = found[0]
            assert await views.order_lists(user, first.order_list_id, None, None, 1) == [first]
            assert await views.order_lists(user, None, first.created_ns, None, 1) == [first]
            assert await views.order_lists(user, None, None, None, 1) == [found[-1]]
            named = [one for one in found if one.list_client_order_id == first.list_client_order_id]
            assert await views.order_list(user, None, first.list_client_order_id) == named[-1]
    assert notes.lists == {}


async def check_users(folder: Path, flow: list[Step], look_every: int) -> None:
    exchange = Exchange(Views.open(folder))
    views = exchange.followers()
    exchange.list_markets()
    notes = Notes()
    for number, step in enumerate(flow, 1):
        events = exchange.step(step)
        notes.take(exchange.state.sequence, exchange.state.at_ns, events)
        if number % look_every == 0:
            order_id = max(notes.orders, default=0)
            order = notes.orders.get(order_id)
            if order is not None:
                shown = await views.order(order.user_id, order.symbol, order_id, None)
                assert shown == notes.row(order)
    for user in USERS:
        for symbol in ("AB", "CD"):
            await check_orders(views, notes, user, symbol)
            await check_trades(views, exchange, user, symbol)
            await check_prevented(views, notes, user, symbol)
    await check_amendments(views, notes)
    await check_lists(views, notes, exchange)
    await views.close()


@settings(deadline=None, max_examples=40)
@given(flows, st.integers(1, 20))
def test_answers_equal_what_events_said(flow: list[Step], look_every: int) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(check_users(Path(folder), flow, look_every))


async def test_an_order_is_seen_at_once_in_each_state(tmp_path: Path) -> None:
    exchange = Exchange(Views.open(tmp_path))
    views = exchange.followers()
    exchange.list_markets()

    async def seen(order: Order) -> tuple[str, int, int]:
        row = await views.order(order.user_id, "AB", order.order_id, None)
        assert row is not None
        return row.status, row.filled_lots, row.updated_ns - START_NS

    start = exchange.state.at_ns - START_NS
    resting = exchange.order(1, "SELL", 100, 10, gap_ns=SECOND)
    assert await seen(resting) == ("NEW", 0, start + SECOND)
    taking = exchange.order(2, "BUY", 100, 4, gap_ns=SECOND)
    assert await seen(resting) == ("PARTIALLY_FILLED", 4, start + 2 * SECOND)
    assert await seen(taking) == ("FILLED", 4, start + 2 * SECOND)
    own = exchange.order(1, "BUY", 100, 4, gap_ns=SECOND, stp_mode=StpMode.EXPIRE_TAKER)
    assert await seen(own) == ("EXPIRED_IN_MATCH", 0, start + 3 * SECOND)
    row = await views.order(1, "AB", None, own.client_order_id)
    assert row is not None
    assert (row.prevented_match_id, row.prevented_lots, row.end_reason) == (
        1, 4, "self_trade_prevention",
    )  # fmt: skip
    await views.close()


async def test_self_trade_shows_both_sides(tmp_path: Path) -> None:
    exchange = Exchange(Views.open(tmp_path))
    views = exchange.followers()
    exchange.list_markets()
    exchange.order(1, "SELL", 100, 5, stp_mode=StpMode.NONE)
    exchange.order(1, "BUY", 100, 5, stp_mode=StpMode.NONE)
    found = await views.user_trades(1, "AB", None, None, None, None, 10)
    assert [(one.trade_id, one.is_maker, one.is_buyer) for one in found] == [
        (1, False, True),
        (1, True, False),
    ]
    await views.close()
