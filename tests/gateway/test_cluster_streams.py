"""Streams over several nodes: who loses one goes on at another, without gap or duplicate."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.clustered import Clustered, Place, clustered, fund
from tests.gateway.exchange import User
from tests.gateway.streams.served import ask, signed
from tests.gateway.test_cluster_reads import until
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from seawall.model.ids import SPOT

PATIENCE_S = 60
ROUNDS = 24
TRADE, AGG, DEPTH = "btcusdt@trade", "btcusdt@aggTrade", "btcusdt@depth@100ms"

Message = dict[str, Any]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Clustered]:
    async with clustered(tmp_path) as running:
        yield running


class Follower:
    """A client of combined streams that can come back: it knows each stream's last entry."""

    def __init__(self, names: list[str]) -> None:
        self.told: dict[str, list[Message]] = {name: [] for name in names}
        self._held: dict[str, int] = {}
        """How many messages of a stream's half-told entry are here already."""

    def points(self) -> dict[str, int]:
        """Return after which entry each stream goes on; a half-told entry is told again."""
        points = {}
        for name, told in self.told.items():
            last = told[-1]
            points[name] = last["seq"]
            if last["more"]:
                points[name] -= 1
                self._held[name] = sum(each["seq"] == last["seq"] for each in told)
        return points

    def take(self, message: Message) -> None:
        name = message.get("stream", "")
        if name not in self.told or message["data"]["e"] == "serverShutdown":
            return
        if self._held.get(name):
            self._held[name] -= 1
        else:
            self.told[name].append(message["data"])

    async def follow(self, socket: ClientConnection) -> None:
        """Take messages until the connection ends."""
        with suppress(ConnectionClosed):
            async for text in socket:
                self.take(json.loads(text))

    async def reached(self, sequence: int) -> None:
        """Wait until every stream that has an end is told up to the entry."""
        async with asyncio.timeout(PATIENCE_S):
            while any(not told or told[-1]["seq"] < sequence for told in self.told.values()):  # noqa: ASYNC110  (messages come by themselves)
                await asyncio.sleep(0.02)


async def rounds(place: Place, alice: User, bob: User, count: int) -> int:
    """Trade; each round is several entries, the last ones with several messages each."""
    exchange = place.exchange
    for _ in range(count):
        await exchange.limit(bob, "SELL", "0.1", "20001")
        await exchange.limit(bob, "SELL", "0.1", "20002")
        await exchange.limit(bob, "BUY", "0.2", "20000")
        answer = await exchange.order(alice, side="BUY", type="MARKET", quantity="0.2")
        assert answer.status_code == 200, answer.text
        answer = await exchange.order(alice, side="SELL", type="MARKET", quantity="0.1")
        assert answer.status_code == 200, answer.text
    return exchange.node.spot.sequence


async def start_user_stream(place: Place, user: User) -> str:
    answer = await place.exchange.client.post("/api/v3/userDataStream", headers=user.headers)
    key: str = answer.json()["listenKey"]
    return key


def check_same(one: list[Message], other: list[Message]) -> None:
    """Whoever began later has what the other has from there on."""
    start = next(n for n, message in enumerate(other) if message == one[0])
    assert one == other[start:]


def check_book(diffs: list[Message], whole: list[Message]) -> None:
    """No gap, no repetition, and the same changes in the end."""
    for before, after in pairwise(diffs):
        assert after["U"] == before["u"] + 1
    assert diffs[-1]["u"] == whole[-1]["u"]
    books = []
    for told in (diffs, whole):
        book: dict[tuple[str, str], str] = {}
        for diff in told:
            if diff["u"] >= diffs[0]["U"]:
                book |= {(side, price): size for side in "ba" for price, size in diff[side]}
        books.append(book)
    assert books[0].items() <= books[1].items()


async def test_a_client_of_a_node_that_goes_goes_on_at_another(cluster: Clustered) -> None:
    amber, blue, coral = cluster.places.values()
    alice, bob = await fund(amber, "alice"), await fund(coral, "bob")
    key = await start_user_stream(amber, alice)
    names = [TRADE, AGG, DEPTH, key]
    client, observer = Follower(names), Follower(names)
    async with coral.connect("/stream?streams=" + "/".join(names)) as watched:
        watching = asyncio.create_task(observer.follow(watched))
        async with amber.connect("/stream?streams=" + "/".join(names)) as lost:
            following = asyncio.create_task(client.follow(lost))
            await trade_until_heard(coral, alice, bob, observer, client)
            trading = asyncio.create_task(rounds(coral, alice, bob, ROUNDS))
            await until(lambda: len(client.told[TRADE]) > 20)
            await cluster.stop("amber")
            await following
        points = client.points()
        # More happens before it comes back, and the key was made by the node that is gone.
        await rounds(coral, alice, bob, 2)
        await trading
        async with blue.connect("/stream") as found:
            request = {"method": "SUBSCRIBE", "params": names, "id": 1, "resumeFrom": points}
            await found.send(json.dumps(request))
            following = asyncio.create_task(client.follow(found))
            await rounds(coral, alice, bob, 2)
            last = await rounds(coral, alice, bob, 1)
            await asyncio.gather(client.reached(last), observer.reached(last))
            for name in (TRADE, AGG, key):
                check_same(client.told[name], observer.told[name])
            check_book(client.told[DEPTH], observer.told[DEPTH])
            assert client.told[key][-1]["e"] == "outboundAccountPosition"
        await following
    await watching


async def trade_until_heard(place: Place, alice: User, bob: User, *followers: Follower) -> None:
    """Trade until everybody has heard of every stream."""
    async with asyncio.timeout(PATIENCE_S):
        while not all(told for follower in followers for told in follower.told.values()):
            await rounds(place, alice, bob, 1)


async def test_a_subscription_of_the_api_goes_on_with_the_same_messages(
    cluster: Clustered,
) -> None:
    amber, blue, coral = cluster.places.values()
    alice, bob = await fund(amber, "alice"), await fund(amber, "bob")
    await start_user_stream(amber, alice)
    await until(lambda: bool(blue.exchange.node.identity.listen_keys))
    start = await rounds(coral, alice, bob, 1)
    await coral.exchange.node.confirm(SPOT)
    heard: list[list[Message]] = []
    async with coral.connect("/ws-api/v3?timeUnit=MICROSECOND") as watched:
        subscribe = "userDataStream.subscribe.signature"
        await ask(watched, {"id": 1, "method": subscribe, "params": own(alice)})
        last = await rounds(coral, alice, bob, 2)
        heard.append(await events_to(watched, last))
    for unit in ("MICROSECOND", "MILLISECOND"):
        async with blue.connect(f"/ws-api/v3?timeUnit={unit}") as found:
            params = own(alice, resumeFrom=start)
            answer = await ask(found, {"id": 1, "method": subscribe, "params": params})
            assert answer["result"] == {"subscriptionId": 0}
            heard.append(await events_to(found, last))
    assert heard[0] == heard[1]
    assert [each["x"] for each in heard[2] if "x" in each] == [
        each["x"] for each in heard[0] if "x" in each
    ]
    for coarse, fine in zip(heard[2], heard[0], strict=True):
        for name, value in coarse.items():
            is_time = isinstance(value, int) and value > 10**12
            assert value == (fine[name] // 1_000 if is_time else fine[name]), name


def own(user: User, **params: Any) -> dict[str, Any]:
    return signed(user, timestamp=time.time_ns() // 1_000_000, **params)


async def events_to(socket: ClientConnection, sequence: int) -> list[Message]:
    found: list[Message] = []
    async with asyncio.timeout(PATIENCE_S):
        while not found or found[-1]["seq"] < sequence or found[-1]["more"]:
            found.append(json.loads(await socket.recv())["event"])
    return found


async def test_what_is_too_old_or_not_there_yet_says_what_to_do(cluster: Clustered) -> None:
    amber, blue, _ = cluster.places.values()
    alice, bob = await fund(amber, "alice"), await fund(amber, "bob")
    await rounds(amber, alice, bob, 1)
    key = await start_user_stream(amber, alice)
    await until(lambda: key in blue.exchange.node.identity.listen_keys)
    async with blue.connect("/ws") as socket:
        request: dict[str, Any] = {"method": "SUBSCRIBE", "params": [key], "id": 1}
        old = await ask(socket, request | {"resumeFrom": 1})
        assert old["error"]["code"] == 4
        assert "take a snapshot" in old["error"]["msg"]
        ahead = await ask(socket, request | {"resumeFrom": 10**9})
        assert ahead["error"]["code"] == 4
        assert "knows entries up to" in ahead["error"]["msg"]
        odd = await ask(socket, request | {"resumeFrom": "yesterday"})
        assert odd["error"]["code"] == 2
        assert (await ask(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 2}))["result"] == []
    async with blue.connect(f"/ws/{key}?resumeFrom=1") as socket:
        assert json.loads(await socket.recv())["error"]["code"] == 4
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 1008


async def test_a_node_that_is_cut_off_says_so_or_lets_its_clients_go(cluster: Clustered) -> None:
    amber = cluster.places["amber"]
    async with (
        amber.connect(f"/stream?streams={TRADE}/seawall@status") as told,
        amber.connect(f"/ws/{TRADE}/btcusdt@bookTicker") as plain,
        amber.connect("/ws/seawall@status") as late,
    ):
        first = json.loads(await told.recv())
        assert (first["stream"], first["data"]["state"]) == ("seawall@status", "current")
        for member in cluster.etcd.members[1:]:
            member.pause()
        try:
            stale = await status(told, "stale")
            assert stale["stale"] > 2
            assert stale["sequence"] == amber.exchange.node.spot.sequence
            async with asyncio.timeout(PATIENCE_S):
                with suppress(ConnectionClosed):
                    async for _ in plain:
                        pass
            assert plain.close_code == 1013
            with pytest.raises(InvalidStatus) as refused:
                async with amber.connect(f"/ws/{TRADE}"):
                    pass
            assert refused.value.response.status_code == 503
        finally:
            for member in cluster.etcd.members[1:]:
                member.thaw()
        await status(told, "current")
        json.loads(await late.recv())
        async with amber.connect(f"/ws/{TRADE}") as back:
            assert await ask(back, {"method": "LIST_SUBSCRIPTIONS", "id": 1})


async def status(socket: ClientConnection, state: str) -> Message:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            data: Message = json.loads(await socket.recv())["data"]
            if data["e"] == "seawallStatus" and data["state"] == state:
                return data
