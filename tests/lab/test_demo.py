"""The demo market: it stands, users can trade in it, and a restart goes on from what is there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seawall.cli.bootstrap import bootstrap
from seawall.cli.configuration import load
from seawall.core.invariants import check_spot
from seawall.core.spot_state import Market
from seawall.lab.capture import Capture, Diff
from seawall.lab.demo import SHOWS, DemoMarket
from seawall.lab.expected import ExpectedBook
from seawall.lab.feed import LATE_MS, Feed
from seawall.lab.sample import SMALL_CAPTURE
from seawall.lab.scaling import Scaler
from seawall.model.commands import (
    CreateUser,
    Credit,
    OrderTerms,
    PlaceOrder,
    SetMarketStatus,
)
from seawall.model.events import CommandRejected, Traded
from seawall.model.ids import AssetCode, Symbol, UserId
from seawall.model.trading import MarketStatus, OrderType, Side
from seawall.node.node import Node, NodeSettings

BTCUSDT = Symbol("BTCUSDT")


@pytest.fixture(scope="module")
def capture() -> Capture:
    return Capture.load([SMALL_CAPTURE])


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = await listed(tmp_path)
    yield node
    await node.close()


async def listed(data: Path) -> Node:
    node = await Node.open(NodeSettings(data=data))
    await bootstrap(node, load(None, {}))
    return node


def own_orders(node: Node, symbol: str) -> dict[tuple[bool, int], int]:
    """Return the maker's lots by side and ticks."""
    maker = node.identity.by_name[f"demo-maker-{symbol}"].user_id
    found: dict[tuple[bool, int], int] = {}
    for order in node.spot.accounts[maker].open_orders.values():
        place = (order.is_buy, order.price_ticks)
        found[place] = found.get(place, 0) + order.open_lots
    return found


async def test_every_listed_market_stands_and_says_what_it_is(node: Node) -> None:
    refused: list[object] = []
    node.add_listener(
        lambda _cell, _sequence, _at_ns, command, events: refused.extend(
            (event.reason, command) for event in events if isinstance(event, CommandRejected)
        )
    )
    demo = DemoMarket(node)
    await demo.start()
    await demo.stop()
    assert refused == []
    for symbol, show in SHOWS.items():
        depth = node.views.depth(symbol, 500)
        assert depth.bids[0][0] < depth.asks[0][0]
        assert 10 < len(depth.bids) <= show.levels
        reason = node.spot.markets[Symbol(symbol)].status_reason
        assert reason.startswith("demo: ")
        assert ("scaled; not data of this market" in reason) == (symbol != "BTCUSDT")
    assert node.views.depth("BTCUSDT", 1).bids[0][0] > 6_000_000
    check_spot(node.spot)


async def test_a_user_trades_with_it_and_it_quotes_again_after_a_restart(tmp_path: Path) -> None:
    node = await listed(tmp_path)
    demo = DemoMarket(node)
    await demo.start()
    await demo.stop()
    await node.submit_identity(CreateUser(name="trader"))
    trader = UserId(node.identity.by_name["trader"].user_id)
    funds = Credit(user_id=trader, asset=AssetCode("USDT"), atoms=10**15, reference="test")
    await node.submit_spot(funds)
    terms = OrderTerms(side=Side.BUY, type=OrderType.MARKET, client_order_id="buy", size=2 * 10**8)
    committed = await node.submit_spot(PlaceOrder(user_id=trader, symbol=BTCUSDT, terms=terms))
    assert sum(e.size_lots for e in committed.events if isinstance(e, Traded)) == 200_000
    before = own_orders(node, "BTCUSDT")
    await node.close()

    node = await listed(tmp_path)
    assert own_orders(node, "BTCUSDT") == before
    demo = DemoMarket(node)
    await demo.start()
    await demo.stop()
    after = own_orders(node, "BTCUSDT")
    assert sum(lots for (is_buy, _), lots in after.items() if not is_buy) > sum(
        lots for (is_buy, _), lots in before.items() if not is_buy
    )
    assert len(after) <= 200
    check_spot(node.spot)
    await node.close()


async def test_a_market_that_is_not_open_is_left_alone(node: Node) -> None:
    halt = SetMarketStatus(symbol=BTCUSDT, status=MarketStatus.HALTED, reason="test")
    await node.submit_spot(halt)
    demo = DemoMarket(node)
    await demo.start()
    await demo.stop()
    market = node.spot.markets[BTCUSDT]
    assert (market.status_reason, market.bids.count, market.asks.count) == ("test", 0, 0)
    assert node.spot.markets[Symbol("ETHUSDT")].bids.count > 0


async def test_scaled_books_never_cross_and_the_captured_one_is_exact(
    node: Node, capture: Capture
) -> None:
    markets: dict[str, Market] = {s: node.spot.markets[Symbol(s)] for s in SHOWS}
    scalers = {s: Scaler(markets[s], show.scale) for s, show in SHOWS.items()}
    book = ExpectedBook(capture.snapshot)
    for number, event in enumerate(capture.events):
        if isinstance(event, Diff):
            book.apply(event)
        if number % 50:
            continue
        for symbol, show in SHOWS.items():
            bids, asks = scalers[symbol].book(book, show.levels)
            assert max(bids) < min(asks)
            assert len(bids) <= show.levels
            assert all(lots > 0 for lots in bids.values())
    market = markets["BTCUSDT"]
    bids, _ = scalers["BTCUSDT"].book(book, len(book.bids))
    assert {t * market.tick_price: n * market.lot_size for t, n in bids.items()} == book.bids


def test_the_feed_goes_round_and_skips_what_it_missed(capture: Capture) -> None:
    length_ms = capture.end_ms - capture.start_ms
    feed = Feed(capture, 0, 0)
    every = sum(1 for _ in capture.trades)
    first = len(feed.advance(1_500))
    assert first > 0
    # One step of the whole length is late: what was missed is not rushed through afterwards.
    feed.advance(length_ms)
    rest = [len(feed.advance(length_ms + at_ms)) for at_ms in range(0, length_ms * 2, 1_000)]
    assert max(rest) < every // 5

    whole = Feed(capture, 0, 0)
    steps = range(0, length_ms + LATE_MS, 100)
    assert sum(len(whole.advance(at_ms)) for at_ms in steps) >= every
