"""The probe of a member, over real members that run, pause, die and run out of space."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aetcd import rpc
from tests.watch.probes.servers import http_server, kind, looked

from seawall.journal.etcd_client import EtcdClient, EtcdTls
from seawall.lab.certificates import Authority
from seawall.lab.etcd import EtcdCluster, free_ports
from seawall.watch.probes.etcd import EtcdProbe
from seawall.watch.probes.tls import TlsFiles

ANSWER_S = 1.0
PATIENCE_S = 30.0


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[EtcdCluster]:
    cluster = EtcdCluster.local(tmp_path / "etcd")
    await cluster.start()
    yield cluster
    await cluster.kill()


def probes(cluster: EtcdCluster) -> list[EtcdProbe]:
    return [EtcdProbe(member.client, answer_s=ANSWER_S) for member in cluster.members]


async def becomes(probe: EtcdProbe, expected: str, detail: str = "") -> None:
    """Look until it is so."""
    found = None
    try:
        async with asyncio.timeout(PATIENCE_S):
            while found is None or kind(found) != expected or detail not in found.detail:
                found = await probe.look()
    except TimeoutError:
        raise AssertionError(f"it stays {found}") from None


async def test_members_are_well_then_cut_off_from_their_majority_then_gone(
    cluster: EtcdCluster,
) -> None:
    first, second, third = probes(cluster)
    for probe in (first, second, third):
        await becomes(probe, "ok", "read through it")
    cluster.members[2].pause()
    await becomes(third, "no answer", "no answer in time")
    assert not (await third.look()).reached
    await becomes(first, "ok")
    cluster.members[2].thaw()
    await becomes(third, "ok")
    await cluster.members[1].kill()
    await becomes(second, "no answer", "refuses")
    await cluster.members[2].kill()
    # It is there, and says so itself; what it cannot do is read with the others.
    await becomes(first, "no answer")
    outcome = await first.look()
    assert (kind(outcome), outcome.reached) == ("no answer", True)
    assert "majority" in outcome.detail or "no leader" in outcome.detail
    await cluster.restart(cluster.members[1])
    await becomes(second, "ok")
    await becomes(first, "ok")
    for probe in (first, second, third):
        await probe.close()


async def test_a_member_without_space_is_degraded(cluster: EtcdCluster) -> None:
    (probe, *others) = probes(cluster)
    client = EtcdClient(cluster.settings())
    status = await client.once(client.members[0], "Status", rpc.StatusRequest(), 5)
    raised = rpc.AlarmRequest(
        action=rpc.AlarmRequest.AlarmAction.Value("ACTIVATE"),
        memberID=status.header.member_id,
        alarm=rpc.AlarmType.Value("NOSPACE"),
    )
    await becomes(probe, "ok")
    await client.call("Alarm", raised, total_s=10)
    await becomes(probe, "degraded", "space")
    corrupt = rpc.AlarmRequest(
        action=rpc.AlarmRequest.AlarmAction.Value("ACTIVATE"),
        memberID=status.header.member_id,
        alarm=rpc.AlarmType.Value("CORRUPT"),
    )
    await client.call("Alarm", corrupt, total_s=10)
    await becomes(probe, "down", "differs")
    await client.close()
    for each in (probe, *others):
        await each.close()


async def test_a_member_with_certificates_is_asked_with_one(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    certificate, key = authority.issue("member", ["127.0.0.1"])
    tls = EtcdTls(ca=authority.ca, certificate=certificate, key=key)
    files = TlsFiles(ca=authority.ca, certificate=certificate, key=key)
    stranger = Authority(tmp_path / "other")
    theirs = stranger.issue("member", ["127.0.0.1"])
    wrong = TlsFiles(ca=stranger.ca, certificate=theirs[0], key=theirs[1])
    cluster = EtcdCluster.local(tmp_path / "etcd", 1, tls=tls)
    await cluster.start()
    try:
        address = cluster.members[0].client
        good = EtcdProbe(address, files, answer_s=ANSWER_S)
        await becomes(good, "ok")
        await good.close()
        assert kind(await looked(EtcdProbe(address, answer_s=ANSWER_S))) == "no answer"
        assert kind(await looked(EtcdProbe(address, wrong, answer_s=ANSWER_S))) == "no answer"
        missing = TlsFiles(ca=files.ca, certificate=tmp_path / "none", key=files.key)
        assert kind(await looked(EtcdProbe(address, missing, answer_s=ANSWER_S))) == "unable"
    finally:
        await cluster.kill()


async def test_who_is_not_there() -> None:
    (port,) = free_ports(1)
    outcome = await looked(EtcdProbe(f"127.0.0.1:{port}", answer_s=ANSWER_S))
    assert (kind(outcome), outcome.reached) == ("no answer", True)


@pytest.mark.parametrize("reply", [(200, {}), b"SSH-2.0\r\n\r\n", None])
async def test_who_is_no_member(reply: Any) -> None:
    async with http_server(lambda *_: reply) as url:
        outcome = await looked(EtcdProbe(url.removeprefix("http://"), answer_s=0.3))
    assert kind(outcome) == "no answer"
