"""What users are told: golden messages, and stories of who hears what, in order."""

import pytest
from tests.gateway.streams.cell import BTCUSDT, Cell, cancel, decimal, place, terms

from seawall.gateway.stream_payloads import MICROSECOND_NS
from seawall.gateway.user_stream import Message
from seawall.model.commands import (
    AmendOrder,
    CancelOpenOrders,
    CancelReplaceOrder,
    Credit,
    Deliver,
    PlaceOrderList,
    RequestTransfer,
    Settle,
    SetTradeGroup,
)
from seawall.model.ids import FUNDING, AssetCode, UserId
from seawall.model.messages import MoveFunds
from seawall.model.trading import CancelReplaceMode, Contingency, StpMode, TimeInForce

Told = list[tuple[int, Message]]


def short(told: Told) -> list[tuple[object, ...]]:
    """Return who was told what: user, event, and of orders what happened and how they stand."""
    rows: list[tuple[object, ...]] = []
    for user_id, message in told:
        if message["e"] == "executionReport":
            shown = tuple(message[name] for name in ("x", "X", "c", "z", "l"))
            rows.append((user_id, *shown))
        elif message["e"] == "listStatus":
            rows.append((user_id, "list", message["l"], message["L"]))
        else:
            rows.append((user_id, message["e"]))
    return rows


def reports(told: Told, client_id: str) -> list[Message]:
    return [
        message
        for _, message in told
        if message["e"] == "executionReport" and client_id in (message["c"], message["C"])
    ]


def test_an_order_that_rests() -> None:
    cell = Cell()
    told = cell.place(1, "BUY", "LIMIT", "0.5", "20000", "one", strategy_id=7)
    at = cell.at_ns // 1_000_000
    assert told == [
        (1, {
            "e": "executionReport", "E": at, "s": "BTCUSDT", "c": "one", "S": "BUY", "o": "LIMIT",
            "f": "GTC", "q": "0.50000000", "p": "20000.00000000", "P": "0.00000000",
            "F": "0.00000000", "g": -1, "C": "", "x": "NEW", "X": "NEW", "r": "NONE", "i": 1,
            "l": "0.00000000", "z": "0.00000000", "L": "0.00000000", "n": "0", "N": None,
            "T": at, "t": -1, "I": cell.sequence, "w": True, "m": False, "M": False, "O": at,
            "Z": "0.00000000", "Y": "0.00000000", "Q": "0.00000000", "V": "NONE", "W": at, "j": 7,
        }),
        (1, {
            "e": "outboundAccountPosition", "E": at, "u": at,
            "B": [{"a": "USDT", "f": "990000.00000000", "l": "10000.00000000"}],
        }),
    ]  # fmt: skip


def test_a_trade_tells_both_sides() -> None:
    cell = Cell()
    cell.place(1, "SELL", "LIMIT", "0.5", "20000", "maker")
    made = cell.at_ns // 1_000_000
    told = cell.place(2, "BUY", "MARKET", "0.2", "-", "taker")
    at = cell.at_ns // 1_000_000
    assert short(told) == [
        (2, "NEW", "NEW", "taker", "0.00000000", "0.00000000"),
        (2, "TRADE", "FILLED", "taker", "0.20000000", "0.20000000"),
        (1, "TRADE", "PARTIALLY_FILLED", "maker", "0.20000000", "0.20000000"),
        (2, "outboundAccountPosition"),
        (1, "outboundAccountPosition"),
    ] or short(told)[3:] == [(1, "outboundAccountPosition"), (2, "outboundAccountPosition")]
    (maker,) = reports(told, "maker")
    assert maker == {
        "e": "executionReport", "E": at, "s": "BTCUSDT", "c": "maker", "S": "SELL", "o": "LIMIT",
        "f": "GTC", "q": "0.50000000", "p": "20000.00000000", "P": "0.00000000",
        "F": "0.00000000", "g": -1, "C": "", "x": "TRADE", "X": "PARTIALLY_FILLED", "r": "NONE",
        "i": 1, "l": "0.20000000", "z": "0.20000000", "L": "20000.00000000",
        "n": "4.00000000", "N": "USDT", "T": at, "t": 1, "I": cell.sequence, "w": True, "m": True,
        "M": True, "O": made, "Z": "4000.00000000", "Y": "4000.00000000", "Q": "0.00000000",
        "V": "NONE", "W": made,
    }  # fmt: skip
    taker = reports(told, "taker")[1]
    assert (taker["n"], taker["N"], taker["w"], taker["m"]) == ("0.00020000", "BTC", False, False)


def test_cancel_names_both_ids() -> None:
    cell = Cell()
    cell.place(1, "BUY", "LIMIT", "0.5", "20000", "one")
    told = cell.cancel(1, "one", cancel_id="gone")
    (report,) = reports(told, "one")
    assert (report["x"], report["X"], report["c"], report["C"], report["w"]) == (
        "CANCELED", "CANCELED", "gone", "one", False,
    )  # fmt: skip
    assert told[-1][1]["B"] == [{"a": "USDT", "f": "1000000.00000000", "l": "0.00000000"}]


def test_cancel_all_tells_of_each() -> None:
    cell = Cell()
    cell.place(1, "BUY", "LIMIT", "0.5", "20000", "one")
    cell.place(1, "BUY", "LIMIT", "0.5", "19000", "two")
    told = cell.commit(CancelOpenOrders(user_id=UserId(1), symbol=BTCUSDT))
    assert short(told) == [
        (1, "CANCELED", "CANCELED", "one", "0.00000000", "0.00000000"),
        (1, "CANCELED", "CANCELED", "two", "0.00000000", "0.00000000"),
        (1, "outboundAccountPosition"),
    ]


def test_amend_is_replaced() -> None:
    cell = Cell()
    cell.place(1, "BUY", "LIMIT", "0.5", "20000", "one")
    told = cell.commit(
        AmendOrder(
            user_id=UserId(1), symbol=BTCUSDT, client_order_id="one", new_client_order_id="less",
            size=decimal("0.3"),
        )
    )  # fmt: skip
    (report,) = reports(told, "less")
    assert (report["x"], report["X"], report["C"], report["q"], report["w"]) == (
        "REPLACED", "NEW", "one", "0.30000000", True,
    )  # fmt: skip


def test_what_finds_no_more_liquidity_expires() -> None:
    cell = Cell()
    cell.place(1, "SELL", "LIMIT", "0.1", "20000", "maker")
    told = cell.place(2, "BUY", "LIMIT", "0.5", "20000", "ioc", time_in_force=TimeInForce.IOC)
    assert [row[1:3] for row in short(told) if row[0] == 2][:3] == [
        ("NEW", "NEW"), ("TRADE", "PARTIALLY_FILLED"), ("EXPIRED", "EXPIRED"),
    ]  # fmt: skip
    assert reports(told, "ioc")[-1]["z"] == "0.10000000"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (StpMode.EXPIRE_MAKER, [("maker", "EXPIRED_IN_MATCH", "0.50000000")]),
        (StpMode.EXPIRE_TAKER, [("taker", "EXPIRED_IN_MATCH", "0.20000000")]),
        (
            StpMode.EXPIRE_BOTH,
            [
                ("taker", "EXPIRED_IN_MATCH", "0.20000000"),
                ("maker", "EXPIRED_IN_MATCH", "0.50000000"),
            ],
        ),
        (
            StpMode.DECREMENT,
            [("taker", "EXPIRED_IN_MATCH", "0.20000000"), ("maker", "NEW", "0.20000000")],
        ),
    ],
)
def test_self_trade_prevention(mode: StpMode, expected: list[tuple[str, str, str]]) -> None:
    cell = Cell()
    cell.commit(SetTradeGroup(user_id=UserId(1), group=4))
    cell.place(1, "SELL", "LIMIT", "0.5", "20000", "maker")
    told = cell.place(1, "BUY", "LIMIT", "0.2", "20000", "taker", stp_mode=mode)
    prevented = [message for _, message in told if message.get("x") == "TRADE_PREVENTION"]
    assert [(each["c"], each["X"], each["B"]) for each in prevented] == expected
    assert all(each["v"] == 1 and each["u"] == 4 and each["Cs"] == "BTCUSDT" for each in prevented)
    assert {each["U"] for each in prevented} <= {1, 2}
    # An order's end is told once.
    assert not [message for _, message in told if message.get("x") == "EXPIRED"]


def test_a_stop_order_waits_then_works() -> None:
    cell = Cell()
    cell.place(1, "SELL", "LIMIT", "1", "20000", "ask")
    told = cell.place(
        2, "BUY", "STOP_LOSS_LIMIT", "0.1", "20500", "stop", stop_price=decimal("20000")
    )
    (waiting,) = reports(told, "stop")
    assert (waiting["X"], waiting["w"], waiting["P"]) == ("NEW", False, "20000.00000000")
    assert "W" not in waiting
    told = cell.place(3, "BUY", "MARKET", "0.2", "-", "trigger")
    began, traded = reports(told, "stop")
    assert (began["x"], began["X"], began["w"]) == ("NEW", "NEW", True)
    assert (traded["x"], traded["X"]) == ("TRADE", "FILLED")
    assert began["W"] == cell.at_ns // 1_000_000


def test_a_trailing_order_shows_its_delta() -> None:
    cell = Cell()
    cell.place(1, "SELL", "LIMIT", "1", "20000", "ask")
    cell.place(3, "BUY", "MARKET", "0.1", "-", "first")
    told = cell.place(2, "SELL", "STOP_LOSS", "0.1", "-", "trail", trailing_bps=100)
    (report,) = reports(told, "trail")
    assert report["d"] == 100
    assert "D" in report


def test_oco_tells_of_the_list() -> None:
    cell = Cell()
    cell.place(1, "SELL", "LIMIT", "1", "20000", "ask")
    cell.place(3, "BUY", "MARKET", "0.1", "-", "first")
    told = cell.commit(
        PlaceOrderList(
            user_id=UserId(2), symbol=BTCUSDT, contingency=Contingency.OCO,
            list_client_order_id="pair",
            orders=(
                terms("SELL", "LIMIT_MAKER", "0.5", "21000", "above"),
                terms("SELL", "STOP_LOSS", "0.5", "-", "below", stop_price=decimal("19000")),
            ),
        )
    )  # fmt: skip
    at = cell.at_ns // 1_000_000
    started = next(message for _, message in told if message["e"] == "listStatus")
    assert started == {
        "e": "listStatus", "E": at, "s": "BTCUSDT", "g": 1, "c": "OCO", "l": "EXEC_STARTED",
        "L": "EXECUTING", "r": "NONE", "C": "pair", "T": at,
        "O": [{"s": "BTCUSDT", "i": 3, "c": "above"}, {"s": "BTCUSDT", "i": 4, "c": "below"}],
    }  # fmt: skip
    assert {report["g"] for report in (*reports(told, "above"), *reports(told, "below"))} == {1}
    told = cell.place(3, "BUY", "LIMIT", "2", "21000", "lift")
    assert [row[1:3] for row in short(told) if row[0] == 2 and row[1] != "list"][:2] in (
        [("TRADE", "FILLED"), ("EXPIRED", "EXPIRED")],
        [("EXPIRED", "EXPIRED"), ("TRADE", "FILLED")],
    )
    assert (2, "list", "ALL_DONE", "ALL_DONE") in short(told)


def test_oto_pending_is_told_as_pending_then_new() -> None:
    cell = Cell()
    told = cell.commit(
        PlaceOrderList(
            user_id=UserId(2), symbol=BTCUSDT, contingency=Contingency.OTO,
            list_client_order_id="chain",
            orders=(
                terms("BUY", "LIMIT", "0.5", "20000", "working"),
                terms("SELL", "LIMIT", "0.5", "22000", "pending"),
            ),
        )
    )  # fmt: skip
    assert [(r["x"], r["X"], r["w"]) for r in reports(told, "pending")] == [
        ("NEW", "PENDING_NEW", False)
    ]
    told = cell.place(1, "SELL", "LIMIT", "0.5", "20000", "hit")
    assert [(r["x"], r["X"], r["w"]) for r in reports(told, "pending")] == [("NEW", "NEW", True)]


def test_a_replacement_refused_after_its_cancel_is_told_as_rejected() -> None:
    cell = Cell()
    cell.place(1, "BUY", "LIMIT", "0.5", "20000", "old")
    told = cell.commit(
        CancelReplaceOrder(
            mode=CancelReplaceMode.STOP_ON_FAILURE,
            cancel=cancel(1, "old", cancel_id="gone"),
            place=place(1, "BUY", "LIMIT", "100", "20000", "new"),
        )
    )
    assert [row[1:4] for row in short(told)][:2] == [
        ("CANCELED", "CANCELED", "gone"), ("REJECTED", "REJECTED", "new"),
    ]  # fmt: skip
    assert reports(told, "new")[0]["r"] == "Account has insufficient balance for requested action."


def test_a_credit_is_a_balance_update() -> None:
    cell = Cell()
    told = cell.commit(
        Credit(user_id=UserId(1), asset=AssetCode("BTC"), atoms=5 * 10**8, reference="gift")
    )
    at = cell.at_ns // 1_000_000
    assert told == [
        (1, {
            "e": "outboundAccountPosition", "E": at, "u": at,
            "B": [{"a": "BTC", "f": "15.00000000", "l": "0.00000000"}],
        }),
        (1, {"e": "balanceUpdate", "E": at, "a": "BTC", "d": "5.00000000", "T": at}),
    ]  # fmt: skip


def test_transfers_are_balance_updates_that_come_once() -> None:
    cell = Cell()
    asset = AssetCode("BTC")
    leaves = RequestTransfer(
        user_id=UserId(1), target=FUNDING, asset=asset, atoms=10**8, client_transfer_id="t"
    )
    message = MoveFunds(transfer_id=1, user_id=UserId(2), asset=asset, atoms=3 * 10**8)
    arrives = Deliver(source=FUNDING, number=1, message=message)
    returns = Settle(target=FUNDING, number=1, refusal="unknown_asset")
    updates = [
        (user, told["d"])
        for command in (leaves, leaves, arrives, arrives, returns, returns)
        for user, told in cell.commit(command)
        if told["e"] == "balanceUpdate"
    ]
    assert updates == [(1, "-1.00000000"), (2, "3.00000000"), (1, "1.00000000")]


def test_microseconds_are_for_who_asks_for_them() -> None:
    cell = Cell()
    told = cell.commit(place(1, "BUY", "LIMIT", "0.5", "20000", "one"), MICROSECOND_NS)
    assert told[0][1]["T"] == cell.at_ns // 1_000
    assert told[0][1]["O"] == cell.at_ns // 1_000


def test_a_refused_command_tells_nobody() -> None:
    cell = Cell()
    assert cell.place(1, "BUY", "LIMIT", "8000", "20000", "dear") == []
