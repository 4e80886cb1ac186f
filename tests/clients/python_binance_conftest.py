"""Stands in for python-binance's own conftest.py when its tests run against Seawall.

Its every URL is turned to the exchange under test, so that no test can reach anything else; the
names of the fixtures are those that its tests ask for.
"""

import os
import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from unittest.mock import patch

import pytest
import pytest_asyncio
from binance import AsyncClient, BinanceSocketManager, Client, ThreadedWebsocketManager
from binance.base_client import BaseClient
from binance.ws.reconnecting_websocket import ReconnectingWebsocket

HTTP = os.environ["SEAWALL_HTTP"]
WEBSOCKET = os.environ["SEAWALL_WS"]

api_key = os.environ["SEAWALL_KEY"]
api_secret = os.environ["SEAWALL_SECRET"]
# How long its reader naps before it notices that it was closed, once per test.
ReconnectingWebsocket.TIMEOUT = 2

proxy = None
proxies: dict[str, str] = {}
testnet = False


def _turn(of: type) -> None:
    """Point every URL of a class to the exchange, keeping its path."""
    for name in dir(of):
        value = getattr(of, name)
        if name.endswith("_URL") and isinstance(value, str):
            value = re.sub(r"^https://[^/]+", HTTP, value)
            value = re.sub(r"^wss://[^/]+", WEBSOCKET, value)
            setattr(of, name, value)


_turn(BaseClient)
_turn(BinanceSocketManager)


@pytest.fixture
def client() -> Client:
    return Client(api_key, api_secret)


liveClient = client  # noqa: N816  # the name its tests ask for


async def _async_client() -> AsyncIterator[AsyncClient]:
    made = AsyncClient(api_key, api_secret)
    try:
        yield made
    finally:
        await made.close_connection()


clientAsync = pytest_asyncio.fixture(_async_client, name="clientAsync")  # noqa: N816 its own name
liveClientAsync = pytest_asyncio.fixture(_async_client, name="liveClientAsync")  # noqa: N816 its own name


@pytest.fixture
def manager() -> ThreadedWebsocketManager:
    return ThreadedWebsocketManager(api_key=api_key, api_secret=api_secret)


def call_method_and_assert_uri_contains(
    client: Client, method_name: str, expected: str, *args: Any, **kwargs: Any
) -> Any:
    """Call a method of the client and look at the URI it asked for."""
    with patch.object(client, "_request", wraps=client._request) as request:
        method: Callable[..., Any] = getattr(client, method_name)
        result = method(*args, **kwargs)
        request.assert_called_once()
        assert expected in request.call_args.args[1]
    return result
