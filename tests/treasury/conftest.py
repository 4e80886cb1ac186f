"""Real nodes for the treasury's tests, one of each kind per test file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.tools import program

from seawall.lab.devchain import DevChain


@pytest_asyncio.fixture
async def devchain(tmp_path: Path) -> AsyncIterator[DevChain]:
    """Start Anvil; it takes a quarter of a second."""
    chain = DevChain(tmp_path / "anvil")
    await chain.start()
    yield chain
    await chain.stop()


@pytest.fixture(scope="session")
def litecoind() -> str:
    return program("litecoind")
