"""The kill drill's audit: each way in which an exchange can break its word is noticed."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from seawall.lab.drills.audit import Kind, Market, Present, audit
from seawall.lab.drills.ledger import Ledger
from seawall.lab.drills.transfers import Wallet, look

MARKETS = {"BTCUSDC": Market("BTC", "USDC")}
FUNDS = {"BTC": Decimal(10), "USDC": Decimal(1_000)}


def order(order_id: int, name: str, **changes: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDC",
        "orderId": order_id,
        "clientOrderId": name,
        "side": "BUY",
        "price": "100.00",
        "origQty": "1.00000",
        "executedQty": "0.00000",
        "status": "NEW",
    } | changes


def trade(trade_id: int, order_id: int, **changes: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDC",
        "id": trade_id,
        "orderId": order_id,
        "isBuyer": True,
        "price": "100.00",
        "qty": "1.00000",
        "quoteQty": "100.00",
        "commission": "0.001",
        "commissionAsset": "BTC",
    } | changes


def asked(name: str, **changes: str) -> dict[str, str]:
    """Return a transfer's parameters."""
    told = {"type": "MAIN_FUNDING", "asset": "BTC", "amount": "2.0", "clientTranId": name}
    return told | changes


def moved(number: int, name: str, **changes: str) -> dict[str, Any]:
    return {"tranId": number, "status": "CONFIRMED", **asked(name, amount="2"), **changes}


@pytest.fixture
def ledger() -> Ledger:
    """Order `open` rests, `filled` was filled at once, `gone` was canceled, `no` was refused.

    2 BTC went to the funding wallet, half a coin came back, and one more transfer was refused.
    """
    ledger = Ledger()
    ledger.sent |= {"open", "filled", "gone", "no"}
    ledger.refused.add("no")
    fill = {"tradeId": 7, "price": "100", "qty": "1", "commission": "0.00100000"}
    ledger.take_placed("BTCUSDC", order(1, "open"), retried=False)
    filled = order(2, "filled", executedQty="1.00000", fills=[fill])
    ledger.take_placed("BTCUSDC", filled, retried=True)
    ledger.take_placed("BTCUSDC", order(3, "gone"), retried=False)
    ledger.take_canceled("BTCUSDC", order(3, "gone", status="CANCELED"))
    ledger.sent_transfers |= {"out", "back", "too much"}
    ledger.take_transfer(asked("out"), {"tranId": 16})
    ledger.take_transfer(asked("back", type="FUNDING_MAIN", amount="0.5"), {"tranId": 17})
    ledger.take_transfer(asked("too much"), {"code": -5013, "msg": "no"})
    return ledger


def present() -> Present:
    return Present(
        orders=[
            order(1, "open"),
            order(2, "filled", executedQty="1.00000", status="FILLED"),
            order(3, "gone", status="CANCELED"),
        ],
        trades=[trade(7, 2)],
        balances={
            "BTC": (Decimal("9.499"), Decimal(0)),
            "USDC": (Decimal(800), Decimal(100)),
        },
        wallet=Wallet(
            transfers=[
                moved(16, "out"),
                moved(17, "back", type="FUNDING_MAIN", amount="0.5"),
            ],
            free={"BTC": Decimal("1.5")},
        ),
    )


def kinds(ledger: Ledger, now: Present) -> set[Kind]:
    return {finding.kind for finding in audit(ledger, now, FUNDS, MARKETS)}


def test_an_exchange_that_kept_its_word_has_no_findings(ledger: Ledger) -> None:
    assert audit(ledger, present(), FUNDS, MARKETS) == []


def test_an_order_that_is_gone_is_lost(ledger: Ledger) -> None:
    now = present()
    del now.orders[0]
    assert kinds(ledger, now) == {Kind.LOST, Kind.BALANCE}


@pytest.mark.parametrize(
    "changes",
    [{"origQty": "2.00000"}, {"side": "SELL"}, {"clientOrderId": "other"}],
)
def test_an_order_that_changed_is_lost(ledger: Ledger, changes: dict[str, str]) -> None:
    now = present()
    now.orders[0] |= changes
    assert Kind.LOST in kinds(ledger, now)


def test_a_fill_that_is_gone_or_changed_is_lost(ledger: Ledger) -> None:
    now = present()
    now.trades.clear()
    assert kinds(ledger, now) == {Kind.LOST, Kind.BALANCE}
    for change in ({"price": "99.00"}, {"qty": "0.50000"}, {"commission": "0.002"}):
        now = present()
        now.trades[0] |= change
        assert Kind.LOST in kinds(ledger, now)


def test_a_cancel_that_did_not_last_is_lost(ledger: Ledger) -> None:
    now = present()
    now.orders[2]["status"] = "NEW"
    assert kinds(ledger, now) == {Kind.LOST, Kind.BALANCE}


def test_an_order_or_a_trade_that_is_there_twice_is_duplicated(ledger: Ledger) -> None:
    now = present()
    now.orders.append(order(4, "open", status="CANCELED"))
    assert kinds(ledger, now) == {Kind.DUPLICATED}
    now = present()
    now.trades.append(trade(7, 2))
    assert kinds(ledger, now) == {Kind.DUPLICATED, Kind.BALANCE}


@pytest.mark.parametrize("name", ["no", "never-sent"])
def test_an_order_that_should_not_be_there_is_a_phantom(ledger: Ledger, name: str) -> None:
    now = present()
    now.orders.append(order(4, name, status="CANCELED"))
    assert kinds(ledger, now) == {Kind.PHANTOM}


def test_money_that_does_not_add_up_is_noticed(ledger: Ledger) -> None:
    now = present()
    now.balances["USDC"] = (Decimal("800.00000001"), Decimal(100))
    assert kinds(ledger, now) == {Kind.BALANCE}
    now.balances["USDC"] = (Decimal(900), Decimal(0))
    assert kinds(ledger, now) == {Kind.BALANCE}


def test_a_transfer_that_is_gone_changed_or_under_way_is_lost(ledger: Ledger) -> None:
    now = present()
    del now.wallet.transfers[0]
    assert kinds(ledger, now) == {Kind.TRANSFER_LOST, Kind.BALANCE}
    now = present()
    now.wallet.transfers[0]["status"] = "PENDING"
    assert kinds(ledger, now) == {Kind.TRANSFER_LOST}
    for change in ({"amount": "3"}, {"asset": "USDC"}, {"type": "FUNDING_MAIN"}):
        now = present()
        now.wallet.transfers[0] |= change
        assert Kind.TRANSFER_LOST in kinds(ledger, now)


def test_a_transfer_that_took_effect_twice_is_doubled(ledger: Ledger) -> None:
    now = present()
    now.wallet.transfers.append(moved(18, "out"))
    assert kinds(ledger, now) == {Kind.TRANSFER_DOUBLED, Kind.BALANCE}


@pytest.mark.parametrize("name", ["too much", "never sent"])
def test_a_transfer_that_should_not_be_there_is_a_phantom(ledger: Ledger, name: str) -> None:
    now = present()
    now.wallet.transfers.append(moved(18, name, status="FAILED"))
    assert kinds(ledger, now) == {Kind.PHANTOM}


@pytest.mark.parametrize("free", [{}, {"BTC": Decimal("3.5")}, {"BTC": Decimal("1.5"), "ETH": 1}])
def test_a_funding_wallet_that_the_transfers_do_not_make_is_noticed(
    ledger: Ledger, free: dict[str, Decimal]
) -> None:
    now = present()
    now.wallet.free.clear()
    now.wallet.free.update(free)
    assert kinds(ledger, now) == {Kind.BALANCE}


async def test_all_transfers_are_asked_for_page_by_page() -> None:
    """The exchange lists 1,000 of a type at most, newest first: the rest comes by time."""
    stored = [{"tranId": number, "timestamp": number // 7} for number in range(2_350)]

    async def ask(verb: str, path: str, params: Mapping[str, str]) -> Any:
        if verb == "POST":
            return [{"asset": "BTC", "free": "1.50"}]
        until = int(params.get("endTime", "9999"))
        mine = [row for row in stored if row["tranId"] % 2 == (params["type"] == "MAIN_FUNDING")]
        listed = [row for row in reversed(mine) if row["timestamp"] <= until][:1_000]
        first = (int(params["current"]) - 1) * int(params["size"])
        return {"rows": listed[first : first + int(params["size"])]}

    wallet = await look(ask)
    assert sorted(row["tranId"] for row in wallet.transfers) == list(range(2_350))
    assert wallet.free == {"BTC": Decimal("1.5")}
