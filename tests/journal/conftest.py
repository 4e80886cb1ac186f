"""Fixtures of the journal's tests."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.journal.etcd_cluster import EtcdEngine
from tests.tools import program

from seawall.lab.etcd import EtcdCluster

_MEMORY = Path("/dev/shm")  # noqa: S108  (each directory in it has a name of its own)


@pytest.fixture
def memory_path() -> Iterator[Path]:
    """Give a directory in memory where the machine has one: quick, and deaf to syncs."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture(scope="session")
def one_etcd() -> Iterator[EtcdCluster]:
    """Give a running etcd of one member, in memory: enough for what needs no failure."""
    program("etcd")
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as name:
        cluster = EtcdCluster.local(Path(name), size=1)
        asyncio.run(cluster.start())
        yield cluster
        asyncio.run(cluster.kill())


@pytest.fixture
async def etcd_engine(one_etcd: EtcdCluster) -> AsyncIterator[EtcdEngine]:
    engine = EtcdEngine(one_etcd.settings())
    yield engine
    await engine.close()
