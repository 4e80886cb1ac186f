"""Fixtures of the gateway's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.gateway.exchange import Exchange, User, open_exchange


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_exchange(tmp_path) as opened:
        yield opened


@pytest.fixture
async def alice(exchange: Exchange) -> User:
    return await exchange.add_user("alice", BTC="10", USDT="1000000", ETH="100")


@pytest.fixture
async def bob(exchange: Exchange) -> User:
    return await exchange.add_user("bob", BTC="10", USDT="1000000")
