"""A node with a market and two users, and the commands that tests give it."""

from pathlib import Path

from seawall.model.commands import (
    CreateUser,
    Credit,
    ListAsset,
    ListMarket,
    OrderTerms,
    PlaceOrder,
)
from seawall.model.ids import AssetCode, Symbol, UserId
from seawall.model.instruments import Asset, Instrument
from seawall.model.trading import OrderType, Side, TimeInForce
from seawall.node.clock import ManualClock
from seawall.node.driver import Committed
from seawall.node.node import Node, NodeSettings

SYMBOL = Symbol("BTCUSDT")
COIN = 100_000_000
SECOND_NS = 1_000_000_000

INSTRUMENT = Instrument(
    symbol=SYMBOL,
    base=AssetCode("BTC"),
    quote=AssetCode("USDT"),
    base_decimals=8,
    quote_decimals=8,
    tick_price=COIN // 100,
    lot_size=1_000,
    min_price=COIN // 100,
    max_price=1_000_000 * COIN,
    min_size=1_000,
    max_size=9_000 * COIN,
    max_market_size=100 * COIN,
    min_notional=5 * COIN,
    max_notional=9_000_000 * COIN,
    max_orders=10_000,
)


def settings(data: Path, *, snapshot_entries: int = 1_000_000) -> NodeSettings:
    """Return settings without ticks, so that tests decide what is journaled."""
    return NodeSettings(
        data=data, ticks=False, snapshot_entries=snapshot_entries, checkpoint_entries=100
    )


async def open_node(data: Path, *, snapshot_entries: int = 1_000_000) -> Node:
    return await Node.open(
        settings(data, snapshot_entries=snapshot_entries), ManualClock(1_700_000_000 * SECOND_NS)
    )


async def set_up(node: Node) -> None:
    """List a market and give two users something to trade."""
    for name in ("maker", "taker"):
        await node.submit_identity(CreateUser(name=name))
    for code in ("BTC", "USDT"):
        asset = Asset(code=AssetCode(code), name=code, decimals=8)
        await node.submit_spot(ListAsset(asset=asset))
    await node.submit_spot(ListMarket(instrument=INSTRUMENT))
    for user in (1, 2):
        for code in ("BTC", "USDT"):
            await node.submit_spot(
                Credit(
                    user_id=UserId(user),
                    asset=AssetCode(code),
                    atoms=10**6 * COIN,
                    reference=f"{user}",
                )
            )


def order(number: int, user: int = 0) -> PlaceOrder:
    """Return an order by number: the two users meet again and again."""
    user = user or 1 + number % 2
    side = Side.BUY if number % 2 else Side.SELL
    return PlaceOrder(
        user_id=UserId(user),
        symbol=SYMBOL,
        terms=OrderTerms(
            side=side,
            type=OrderType.LIMIT,
            client_order_id=f"order-{number}",
            time_in_force=TimeInForce.GTC,
            size=COIN // 100 * (1 + number % 5),
            price=(20_000 + (number * 7) % 11) * COIN,
        ),
    )


async def trade(node: Node, first: int, count: int) -> list[Committed]:
    """Place orders one after the other; their command ids are their numbers."""
    return [
        await node.submit_spot(order(number), f"command-{number}")
        for number in range(first, first + count)
    ]
