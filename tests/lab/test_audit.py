"""The kill drill's audit: each way in which an exchange can break its word is noticed."""

from decimal import Decimal
from typing import Any

import pytest

from seawall.lab.drills.audit import Kind, Market, Present, audit
from seawall.lab.drills.ledger import Ledger

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


@pytest.fixture
def ledger() -> Ledger:
    """Order `open` rests, `filled` was filled at once, `gone` was canceled, `no` was refused."""
    ledger = Ledger()
    ledger.sent |= {"open", "filled", "gone", "no"}
    ledger.refused.add("no")
    fill = {"tradeId": 7, "price": "100", "qty": "1", "commission": "0.00100000"}
    ledger.take_placed("BTCUSDC", order(1, "open"), retried=False)
    filled = order(2, "filled", executedQty="1.00000", fills=[fill])
    ledger.take_placed("BTCUSDC", filled, retried=True)
    ledger.take_placed("BTCUSDC", order(3, "gone"), retried=False)
    ledger.take_canceled("BTCUSDC", order(3, "gone", status="CANCELED"))
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
            "BTC": (Decimal("10.999"), Decimal(0)),
            "USDC": (Decimal(800), Decimal(100)),
        },
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
