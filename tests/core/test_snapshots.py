"""Snapshots: nothing of a state is left out, everything else is refused."""

import ast
from pathlib import Path
from typing import TypeGuard

import msgspec
import pytest
from tests.core.describing import describe
from tests.core.spot_desk import SpotDesk, plain_instrument

from seawall.core.identity_state import ApiKey, IdentityState, ListenKey, User
from seawall.core.ledger import Balance
from seawall.core.snapshots import dump_identity, dump_spot, load_identity, load_spot
from seawall.core.spot_state import Account, Market, SpotState
from seawall.core.state_digest import digest_spot
from seawall.model import state_rows
from seawall.model.commands import Tick
from seawall.model.events import OrderTriggered, Traded
from seawall.model.orders import Level, Order, OrderList
from seawall.model.trading import (
    Contingency,
    MarketStatus,
    OrderStatus,
    OrderType,
    StpMode,
    TimeInForce,
)

SPOT_STATE = Path(__file__).parents[2] / "src" / "seawall" / "core" / "spot_state.py"


def instrument_copies() -> set[str]:
    """Return what a market copies from its instrument for speed, as its source says."""
    for node in ast.walk(ast.parse(SPOT_STATE.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name == "set_instrument":
            return {each.attr for each in ast.walk(node) if _is_own_target(each)} - {"instrument"}
    raise AssertionError("a market takes over its instrument in one place")


def _is_own_target(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


LINKS = {"level", "before", "after", "order_list"}
"""Where an order stands: the ladders and lists say it."""


def an_order() -> Order:
    return Order(1, 1, "AB", "c", True, OrderType.LIMIT, TimeInForce.GTC, 0)


def an_order_list() -> OrderList:
    return OrderList(1, 1, "AB", Contingency.OCO, "l", 0)


@pytest.mark.parametrize(
    "thing, row, elsewhere",
    [
        (an_order(), state_rows.OrderRow, {"open_lots", "is_algo"} | LINKS),
        (an_order_list(), state_rows.OrderListRow, {"orders"}),
        (Level(1), state_rows.LevelRow, {"count", "head", "tail"}),
        (
            Market(plain_instrument()),
            state_rows.MarketRow,
            instrument_copies()
            | {"released", "sweep_ticks", "touched"}  # empty between commands
            | {"window_lots", "window_weighted"},  # derived
        ),
        (Account(1), state_rows.AccountRow, {"by_client_id", "counts"}),
        (Balance(1, "A"), state_rows.BalanceRow, {"touched"}),
        (
            SpotState(),
            state_rows.SpotRows,
            {"ledger", "derived_ready", "command_id_queue", "deadlines", "next_deadline_ns"}
            | {"unfinished"},
        ),
        (User(1, "ada", 0), state_rows.UserRow, {"api_keys", "listen_key"}),
        (ApiKey("k", 1, "hmac", "m", "", (), (), 0), state_rows.ApiKeyRow, set()),
        (ListenKey("l", 1, 0), state_rows.ListenKeyRow, set()),
        (IdentityState(), state_rows.IdentityRows, {"by_name"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_field_of_the_state_has_its_place_in_a_row(
    thing: object, row: type[msgspec.Struct], elsewhere: set[str]
) -> None:
    fields = {
        name
        for name in dir(thing)
        if not name.startswith("_") and not callable(getattr(thing, name))
    }
    assert elsewhere <= fields, "the list of exceptions is up to date"
    in_row = set(row.__struct_fields__) - {"order_ids", "ended", "balances"}
    assert fields - elsewhere == in_row


def test_every_field_of_an_order_comes_back() -> None:
    desk = SpotDesk().open_plain()
    placed = desk.place(1, "BUY", 9, 50, iceberg_size=3, strategy_id=4, strategy_type=5)
    values: dict[str, object] = {
        "stop_ticks": 7, "trailing_bps": 8, "trail_ticks": 9, "triggered": True, "filled_lots": 2,
        "filled_quote": 11, "prevented_lots": 0, "held_atoms": 13, "quote_amount": 14,
        "status": OrderStatus.PARTIALLY_FILLED, "stp_mode": StpMode.DECREMENT,
    }  # fmt: skip
    for name, value in values.items():
        setattr(placed, name, value)
    if placed.level is not None:
        placed.level.total_lots = placed.open_lots
    loaded = load_spot(dump_spot(desk.state)).accounts[1].open_orders[placed.order_id]
    for name in state_rows.OrderRow.__struct_fields__:
        assert getattr(loaded, name) == getattr(placed, name), name


def test_a_default_left_out_leaves_the_digest_of_older_states_as_it_was() -> None:
    data = dump_spot(SpotState())
    assert b"credit_references" not in data
    assert data == (
        b'{"type":"spot","sequence":0,"at_ns":0,"epoch":0,"tiers":[{"tier":0,"maker_ppm":1000,'
        b'"taker_ppm":1000}],"next_order_id":1,"next_order_list_id":1}'
    )
    assert dump_identity(IdentityState()) == (
        b'{"type":"identity","sequence":0,"at_ns":0,"epoch":0,"next_user_id":1}'
    )


def test_a_market_in_an_auction_comes_back_with_all_that_waits() -> None:
    desk = SpotDesk().open_plain()
    desk.place(1, "SELL", 4, None, type=OrderType.STOP_LOSS, stop_price=95)
    desk.place(1, "SELL", 4, None, type=OrderType.STOP_LOSS, trailing_bps=100)
    desk.status(MarketStatus.AUCTION)
    desk.place(2, "BUY", 9, 95, iceberg_size=3)
    desk.place(3, "SELL", 5, None)
    restored = SpotDesk()
    restored.state = load_spot(dump_spot(desk.state))
    assert [describe(event) for event in restored.status(MarketStatus.OPEN)] == [
        describe(event) for event in desk.status(MarketStatus.OPEN)
    ]
    assert digest_spot(restored.state) == digest_spot(desk.state)


def test_stops_left_over_for_the_next_entry_come_back_and_begin() -> None:
    desk = SpotDesk().open_plain()
    desk.place(2, "BUY", 9, 50)
    stop = desk.place(1, "SELL", 4, None, type=OrderType.STOP_LOSS, stop_price=60)
    # As after a command that set off more than it may begin.
    desk.market.falling_stops.remove(stop)
    desk.market.triggered[stop.order_id] = stop
    restored = SpotDesk()
    restored.state = load_spot(dump_spot(desk.state))
    events = restored.run(Tick())
    assert [type(event) for event in events[:2]] == [OrderTriggered, Traded]
    assert restored.market.triggered == {}


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"null", b'{"type":"spot"}', dump_identity(IdentityState())]
)
def test_what_is_no_spot_snapshot_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        load_spot(data)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"type":"identity"}', dump_spot(SpotState())])
def test_what_is_no_identity_snapshot_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        load_identity(data)


def test_a_cut_snapshot_is_refused_wherever_it_is_cut() -> None:
    desk = SpotDesk().open_plain()
    desk.place(1, "BUY", 9, 50)
    data = dump_spot(desk.state)
    for end in range(0, len(data), 7):
        with pytest.raises(msgspec.DecodeError):
            load_spot(data[:end])
