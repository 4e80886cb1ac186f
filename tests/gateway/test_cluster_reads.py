"""Any gateway of a cluster: what one took another knows, and what may be old says so."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.clustered import Clustered, Place, clustered, fund
from tests.gateway.exchange import User, picked
from tests.gateway.money import act
from tests.gateway.test_clients import Venue, ccxt_client

from seawall.model.commands import ListAsset
from seawall.model.ids import SPOT

PATIENCE_S = 60
TERMS: dict[str, Any] = {
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "1",
    "price": "20000",
}


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Clustered]:
    async with clustered(tmp_path) as running:
        yield running


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not reached():  # noqa: ASYNC110  (a node tells nobody when it is stale)
            await asyncio.sleep(0.02)


async def ask(place: Place, user: User, verb: str, path: str, **params: Any) -> Any:
    answer = await place.exchange.signed(verb, path, user, **params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def owned(account: Any) -> dict[str, float]:
    return {one["asset"]: float(one["free"]) + float(one["locked"]) for one in account["balances"]}


async def check_quotes(amber: Place, alice: User) -> None:
    """Of quotes, what is dated is told; what would pass for the present only when asked for."""
    node = amber.exchange.node
    get = amber.exchange.client.get
    candles = await get("/api/v3/klines", params={"symbol": "BTCUSDT", "interval": "1m"})
    assert candles.status_code == 200
    assert "x-seawall-as-of" in candles.headers
    for path in ("depth?symbol=BTCUSDT", "ticker/bookTicker", "avgPrice?symbol=BTCUSDT"):
        refused = await get(f"/api/v3/{path}")
        assert (refused.status_code, refused.json()["code"]) == (503, -1001), path
        assert f"last known is entry {node.spot.sequence} of spot" in refused.json()["msg"]
        assert "x-seawall-as-of" in refused.headers
        wanted = await get(f"/api/v3/{path}", headers={"X-Seawall-Last-Known": "1"})
        assert wanted.status_code == 200, path
        assert float(wanted.headers["x-seawall-stale"]) > 2
    test = await amber.exchange.signed(
        "POST", "/api/v3/order/test", alice, symbol="BTCUSDT", **TERMS
    )
    assert (test.status_code, test.json()["code"]) == (503, -1001)


async def check_commands(amber: Place, alice: User) -> None:
    """No command is taken; the answer says why, and what was known last."""
    node = amber.exchange.node
    await until(lambda: not node.as_of(SPOT).quorum)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            placed = await amber.exchange.order(alice, **TERMS)
            # The first may still reach a leader that cannot tell what became of it.
            assert placed.status_code == 503
            assert placed.json()["code"] in (-1001, -1007)
            if "majority" in placed.json()["msg"]:
                break
    assert f"entry {node.spot.sequence}" in placed.json()["msg"]
    assert "x-seawall-stale" in placed.headers


async def test_what_one_gateway_took_every_other_knows_at_once(cluster: Clustered) -> None:
    amber, blue, coral = cluster.places.values()
    alice = await fund(amber, "alice")
    for number in range(20):
        # A key, an order and a cancel: each made on one node and asked for on another.
        placed = await ask(amber, alice, "POST", "/api/v3/order", symbol="BTCUSDT", **TERMS)
        which = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
        shown = await ask(blue, alice, "GET", "/api/v3/order", **which)
        assert picked(shown, "status", "clientOrderId") == ("NEW", placed["clientOrderId"])
        canceled = await ask(coral, alice, "DELETE", "/api/v3/order", **which)
        assert canceled["status"] == "CANCELED"
        assert await ask(amber, alice, "GET", "/api/v3/openOrders", symbol="BTCUSDT") == []
        orders = await ask(blue, alice, "GET", "/api/v3/allOrders", symbol="BTCUSDT")
        assert len(orders) == number + 1
    account = await blue.exchange.signed("GET", "/api/v3/account", alice)
    assert "stale" not in account.json(), "what is current looks as Binance's does"
    assert "x-seawall-stale" not in account.headers
    assert int(account.headers["x-seawall-sequence"]) >= 41
    own = await ask(coral, alice, "GET", "/seawall/v1/balances")
    assert picked(own, "stale", "current") == (0.0, True)
    assert own["sequence"] >= int(account.headers["x-seawall-sequence"])


def ccxt_story(clients: list[Any]) -> None:
    """Place at one, ask and trade at another, cancel at a third; each sees all at once."""
    amber, blue, coral = clients
    for client in clients:
        client.load_markets()
    for number in range(5):
        order = amber.create_order("BTC/USDT", "limit", "buy", 1, 20_000 + number)
        found = blue.fetch_order(order["id"], "BTC/USDT")
        assert (found["status"], found["price"]) == ("open", 20_000 + number)
        held = coral.fetch_balance()["USDT"]["used"]
        assert held == 20_000 + number
        assert coral.cancel_order(order["id"], "BTC/USDT")["status"] == "canceled"
        assert amber.fetch_open_orders("BTC/USDT") == []
        assert blue.fetch_balance()["USDT"]["used"] == 0


async def test_ccxt_on_three_nodes_is_one_exchange(cluster: Clustered) -> None:
    amber = cluster.places["amber"]
    alice = await fund(amber, "alice")
    clients = [
        ccxt_client(Venue(place.exchange, place.server, alice, alice))
        for place in cluster.places.values()
    ]
    await asyncio.to_thread(ccxt_story, clients)


async def test_money_moved_at_one_node_is_in_both_wallets_at_another(cluster: Clustered) -> None:
    amber, blue, coral = cluster.places.values()
    alice = await fund(amber, "alice")
    for asset in amber.exchange.node.spot.assets.values():
        await act(amber.exchange, ListAsset(asset=asset))
    nodes = [place.exchange.node for place in cluster.places.values()]
    await until(lambda: all("USDT" in node.funding.book.assets for node in nodes))
    for number, place in enumerate((blue, coral, amber), start=1):
        move = {"type": "MAIN_FUNDING", "asset": "USDT", "amount": "10"}
        moved = await ask(place, alice, "POST", "/sapi/v1/asset/transfer", **move)
        assert moved["tranId"]
        for other in cluster.places.values():
            (funding,) = await ask(other, alice, "POST", "/sapi/v1/asset/get-funding-asset")
            assert funding["free"] == f"{10 * number}.00000000"
            spot = await ask(other, alice, "GET", "/seawall/v1/balances", omitZeroBalances="true")
            (usdt,) = [one for one in spot["balances"] if one["asset"] == "USDT"]
            assert usdt["free"] == f"{10_000_000 - 10 * number}.00000000"
            sent = await ask(other, alice, "GET", "/seawall/v1/transfers")
            assert len(sent["transfers"]) == number
            assert sent["current"]


async def test_without_a_majority_nothing_old_looks_new_and_nothing_is_zero(
    cluster: Clustered,
) -> None:
    amber = cluster.places["amber"]
    alice = await fund(amber, "alice")
    await ask(amber, alice, "POST", "/api/v3/order", symbol="BTCUSDT", **TERMS)
    before = await ask(amber, alice, "GET", "/api/v3/account")
    orders = await ask(amber, alice, "GET", "/api/v3/openOrders")
    for member in cluster.etcd.members[1:]:
        member.pause()
    try:
        node = amber.exchange.node
        await until(lambda: not node.as_of(SPOT).fresh)
        answer = await amber.exchange.signed("GET", "/api/v3/account", alice)
        after = answer.json()
        assert after["balances"] == before["balances"], "last known, and no zero"
        assert after["stale"] > 2
        assert after["asOf"] == node.spot.at_ns // 1_000_000
        assert after["sequence"] == node.spot.sequence
        assert answer.headers["x-seawall-sequence"] == str(node.spot.sequence)
        of = answer.headers["x-seawall-as-of"]
        assert of.endswith(f"Z; cell=spot; sequence={node.spot.sequence}")
        assert float(answer.headers["x-seawall-stale"]) > 2
        listed = await amber.exchange.signed("GET", "/api/v3/openOrders", alice)
        assert listed.json() == orders
        assert float(listed.headers["x-seawall-stale"]) > 2
        # An order that is not known here may have been placed elsewhere.
        unheard = await amber.exchange.signed(
            "GET", "/api/v3/order", alice, symbol="BTCUSDT", origClientOrderId="elsewhere"
        )
        assert (unheard.status_code, unheard.json()["code"]) == (503, -1001)
        own = await ask(amber, alice, "GET", "/seawall/v1/balances")
        assert own["balances"] == before["balances"]
        assert not own["current"]
        assert own["stale"] > 2

        await check_quotes(amber, alice)
        await check_commands(amber, alice)
    finally:
        for member in cluster.etcd.members[1:]:
            member.thaw()
    await until(lambda: amber.exchange.node.ready)
    answer = await amber.exchange.signed("GET", "/api/v3/account", alice)
    assert "stale" not in answer.json()
    assert owned(answer.json()) == owned(before)
