"""Mutual TLS: who shows no certificate of the authority is refused; a new one is taken up."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.tools import program

from seawall.journal import etcd_client
from seawall.journal.etcd import EtcdJournal
from seawall.journal.etcd_client import EtcdClient, EtcdSettings, EtcdTls
from seawall.journal.port import JournalUnavailableError
from seawall.lab.certificates import Authority
from seawall.lab.etcd import HOST, EtcdCluster


@pytest.fixture
async def cluster(memory_path: Path) -> AsyncIterator[EtcdCluster]:
    program("etcd")
    tls = issued(memory_path / "certificates", "member")
    cluster = EtcdCluster.local(memory_path / "data", size=1, tls=tls)
    await cluster.start()
    yield cluster
    await cluster.kill()


def issued(folder: Path, name: str) -> EtcdTls:
    """Return a certificate of the authority in a folder, which is made if there is none."""
    authority = Authority(folder)
    certificate, key = authority.issue(name, [HOST])
    return EtcdTls(ca=authority.ca, certificate=certificate, key=key)


async def opened(cluster: EtcdCluster, tls: EtcdTls | None) -> tuple[EtcdClient, EtcdJournal]:
    client = EtcdClient(EtcdSettings(endpoints=cluster.endpoints, tls=tls))
    try:
        return client, await EtcdJournal.open(client, "spot", answer_s=0.5)
    except JournalUnavailableError:
        await client.close()
        raise


async def test_only_certificates_of_the_authority_are_let_in(
    cluster: EtcdCluster, memory_path: Path
) -> None:
    own = cluster.members[0].tls
    assert own is not None
    client, journal = await opened(cluster, own)
    assert (await journal.append(1, 1, [b"a"])).sequence == 1
    await client.close()
    stranger = issued(memory_path / "stranger", "node")
    unknown_client = EtcdTls(ca=own.ca, certificate=stranger.certificate, key=stranger.key)
    unknown_server = EtcdTls(ca=stranger.ca, certificate=own.certificate, key=own.key)
    for tls in (None, stranger, unknown_client, unknown_server):
        with pytest.raises(JournalUnavailableError):
            await opened(cluster, tls)


async def test_a_replaced_certificate_is_taken_up_in_use(
    cluster: EtcdCluster, memory_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node's files are those of a stranger first, and the right ones later."""
    monkeypatch.setattr(etcd_client, "_LOOK_S", 0.0)
    own = cluster.members[0].tls
    assert own is not None
    stranger = issued(memory_path / "node", "node")
    tls = EtcdTls(ca=own.ca, certificate=stranger.certificate, key=stranger.key)
    client = EtcdClient(EtcdSettings(endpoints=cluster.endpoints, tls=tls))
    journal = EtcdJournal(client, "spot", answer_s=0.5)
    with pytest.raises(JournalUnavailableError):
        await journal.head()
    stranger.certificate.write_bytes(own.certificate.read_bytes())
    stranger.key.write_bytes(own.key.read_bytes())
    head = await asyncio.wait_for(journal.append(1, 1, [b"a"]), 60)
    assert head.sequence == 1
    await client.close()
