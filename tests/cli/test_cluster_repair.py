"""A majority of etcd is lost for good; the exchange comes back with all that it acknowledged."""

import asyncio
import shutil
from contextlib import AsyncExitStack
from copy import copy
from functools import partial
from pathlib import Path

import msgspec
import pytest
from aetcd import rpc
from msgspec.structs import replace
from tests.node.sealed_cluster import sealed_member, topology_file
from tests.node.test_cluster_journals import listed, load, oldest, until
from tests.tools import program

from seawall.cli.cluster_repair import (
    STEPS,
    RepairError,
    Sources,
    Work,
    apply,
    approve,
    phrase,
    survey,
)
from seawall.cli.commands import cluster_repair as commands
from seawall.cli.commands import journal as journal_commands
from seawall.cli.output import CliError
from seawall.journal.etcd import EtcdJournal
from seawall.journal.etcd_client import EtcdClient, EtcdError
from seawall.journal.etcd_rows import Batch, Keys
from seawall.journal.port import EMPTY, GENESIS_HASH
from seawall.journal.restore import Restore, Restored, RestoreError
from seawall.journal.salvage import SalvageError, salvage
from seawall.journal.verify import verify
from seawall.lab.etcd import EtcdCluster, EtcdMember, find_etcd
from seawall.model.ids import CELLS, SPOT
from seawall.model.topology import Approver
from seawall.node.approvals import ApprovalError, new_key
from seawall.node.cluster_journals import open_archive
from seawall.node.proposed import problems
from seawall.node.repair import Chain, Found, Trace
from seawall.node.repair_sources import lead_batch
from seawall.node.topology_file import TopologyFile

PATIENCE_S = 60


class Wreck:
    """A cluster whose members are dead, and people who may repair it."""

    def __init__(self, etcd: EtcdCluster, folder: Path) -> None:
        self.etcd = etcd
        self.folder = folder
        file = topology_file(etcd, folder)
        approvers = tuple(
            Approver(name=name, key=new_key(self.key(name))) for name in ("Ann", "Ben", "Cleo")
        )
        self.file = TopologyFile(folder=folder, topology=replace(file.topology, approver=approvers))
        self.work = Work(folder / "repair")
        self.acknowledged = 0

    def key(self, person: str) -> Path:
        return self.folder / f"{person}.key"

    async def run(self) -> None:
        """Trade until the archive has something, and end everything at one stroke."""
        await self.etcd.start()
        async with AsyncExitStack() as stack:
            amber = await stack.enter_async_context(sealed_member(self.file, "amber"))
            await stack.enter_async_context(sealed_member(self.file, "blue"))
            await listed(amber)
            async with asyncio.timeout(PATIENCE_S):
                for first in range(0, 4_000, 50):
                    await load(amber, first, 50)
                    if await oldest(self.etcd) > 150:
                        break
            await load(amber, 5_000, 50)
            self.acknowledged = amber.spot.sequence
            # Of its own accord a node writes one when it ends, unless an append is in doubt then.
            await amber._keep(amber._take(amber.drivers[SPOT]))
            await self.etcd.kill()

    async def survey(self, sources: Sources, *, accepts_loss: bool = False) -> None:
        await survey(self.file, sources, self.work, find_etcd(), accepts_loss=accepts_loss)

    def approve(self, person: str, key: str = "") -> None:
        plan = self.work.plan()
        approve(self.file, self.work, person, self.key(key or person), phrase(plan))

    def write_topology(self) -> Path:
        """Write the topology as operators have it."""
        lines = [f'name = "{self.file.topology.name}"']
        for table, rows in msgspec.to_builtins(self.file.topology).items():
            for row in rows if isinstance(rows, (list, tuple)) else []:
                lines.append(f"[[{table}]]")
                lines += [
                    f"{key} = {msgspec.json.encode(value).decode()}" for key, value in row.items()
                ]
        path = self.folder / "topology.toml"
        path.write_text("\n".join(lines), "utf-8")
        return path

    def copied(self, folder: Path) -> "Wreck":
        """Return the same, on directories of its own."""
        found = copy(self)
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        found.folder = folder
        found.file = TopologyFile(folder=folder, topology=self.file.topology)
        found.etcd = EtcdCluster(_members(self.etcd, folder / "etcd"))
        found.work = Work(folder / "repair")
        return found

    async def new_etcd(self) -> EtcdCluster:
        """Start three empty members at the addresses of the topology."""
        cluster = EtcdCluster(_members(self.etcd, self.folder / "new", "second"))
        await cluster.start()
        return cluster


def _members(cluster: EtcdCluster, folder: Path, token: str = "") -> list[EtcdMember]:
    return [
        EtcdMember(each.name, folder / each.name, client=each.client, peer=each.peer, token=token)
        for each in cluster.members
    ]


@pytest.fixture(scope="module")
def first_wreck(tmp_path_factory: pytest.TempPathFactory) -> Wreck:
    program("etcd")
    folder = tmp_path_factory.mktemp("wreck")
    found = Wreck(EtcdCluster.local(folder / "etcd"), folder)
    asyncio.run(found.run())
    return found


@pytest.fixture
def wreck(first_wreck: Wreck, tmp_path: Path) -> Wreck:
    return first_wreck.copied(tmp_path)


def survivors(wreck: Wreck) -> Sources:
    """One member and one node are left."""
    names = [place.name for place in wreck.file.topology.etcd]
    return Sources(
        members={names[2]: wreck.etcd.members[2].directory},
        nodes={"amber": wreck.file.data("amber")},
        lost=(f"etcd/{names[0]}", f"etcd/{names[1]}", "node/blue", "node/coral"),
    )


def one_node(wreck: Wreck) -> Sources:
    """No member is left, and one node."""
    lost = [f"etcd/{place.name}" for place in wreck.file.topology.etcd]
    return Sources(
        members={},
        nodes={"amber": wreck.file.data("amber")},
        lost=(*lost, "node/blue", "node/coral"),
    )


async def test_all_that_was_acknowledged_comes_back(wreck: Wreck) -> None:
    await wreck.survey(survivors(wreck))
    plan = wreck.work.plan()
    assert plan.refusals() == []
    spot = next(each for each in plan.cells if each.cell == SPOT)
    assert spot.archived > 100, "the chain goes through the archive"
    assert spot.sequence >= wreck.acknowledged
    wreck.approve("Ann")
    wreck.approve("Ben")
    new = await wreck.new_etcd()
    client = EtcdClient(new.settings())
    try:
        await _interrupted_everywhere(wreck, client)
        record = await apply(wreck.file, wreck.work, client)
        assert [each.person for each in record.approvals] in (["Ann", "Ben"], ["Ben", "Ann"])
        for each in wreck.file.archives():
            assert (Path(each) / "repairs" / f"{plan.repair}.json").is_file()

        async with (
            sealed_member(wreck.file, "amber") as amber,
            sealed_member(wreck.file, "coral", seals=False) as coral,
        ):
            await until(lambda: amber.ready)
            assert await coral.confirm(SPOT)
            assert coral.spot.epoch > spot.lead_epoch >= spot.epoch + 1
            await load(amber, 9_000, 50)
            # The old member comes back, in the place of a new one: nobody takes it in.
            await new.members[1].kill()
            old = wreck.etcd.members[1]
            old.start(wreck.etcd.members)
            await load(amber, 9_100, 50)
            await _refused(old)
            await old.stop()
            await new.restart(new.members[1])
        for cell in CELLS:
            journal = await EtcdJournal.open(client, cell, archive=open_archive(wreck.file))
            assert (await verify(journal)).entries > 0
        # Once more is harmless, though the nodes have gone on.
        assert (await apply(wreck.file, wreck.work, client)).digest == record.digest
    finally:
        await client.close()
        await new.stop()


class InterruptedRepairError(Exception):
    pass


async def _interrupted_everywhere(wreck: Wreck, client: EtcdClient) -> None:
    """Break off after each step, and in the middle of the writing; nobody can lead meanwhile."""
    put = Restore._put
    left = [7]

    async def breaks(self: Restore, *args: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise InterruptedRepairError
        await put(self, *args)  # type: ignore[arg-type]  # handed on as it came

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Restore, "_put", breaks)
        with pytest.raises(InterruptedRepairError):
            await apply(wreck.file, wreck.work, client)
    for stop in STEPS:

        def told(step: str, stop: str = stop) -> None:
            if step == stop:
                raise InterruptedRepairError

        with pytest.raises(InterruptedRepairError):
            await apply(wreck.file, wreck.work, client, told)


async def _refused(old: EtcdMember) -> None:
    client = EtcdClient(replace(EtcdCluster([old]).settings()))
    try:
        with pytest.raises(EtcdError):
            await client.call("Range", rpc.RangeRequest(key=b"x"), total_s=3.0)
    finally:
        await client.close()


def test_the_commands_lead_through_it(wreck: Wreck, capfd: pytest.CaptureFixture[str]) -> None:
    path = wreck.write_topology()
    repair = partial(commands.repair, topology=path, work=wreck.work.folder)
    agree = partial(commands.approve, topology=path, work=wreck.work.folder)
    sources = one_node(wreck)
    node = (f"amber={sources.nodes['amber']}",)
    assert repair(node=node) == 1
    told = capfd.readouterr().out
    assert "refused node/blue; name it, or say with --lost" in told
    assert repair(node=node, lost=sources.lost) == 0
    told = capfd.readouterr().out
    plan = wreck.work.plan()
    assert phrase(plan) in told
    for person in ("Ann", "Ben"):
        key = wreck.key(person)
        with pytest.raises(CliError, match="type exactly"):
            agree(person=person, key=key, confirm="yes")
        assert agree(person=person, key=key, confirm=phrase(plan)) == 0
    assert "approved by: Ann, Ben" in capfd.readouterr().out.replace("Ben, Ann", "Ann, Ben")
    with pytest.raises(CliError, match="all members of the new cluster must run"):
        repair(apply=True)
    new = asyncio.run(wreck.new_etcd())
    try:
        assert repair(apply=True) == 0
        assert "is done" in capfd.readouterr().out
        assert journal_commands.verify(topology=path, json=True) == 0
        report = msgspec.json.decode(capfd.readouterr().out)
        sequences = {cell["cell"]: cell["entries"] for cell in report["cells"]}
        assert sequences == {cell.cell: cell.lead_sequence for cell in plan.cells}
        # A cluster that answers is not repaired.
        with pytest.raises(CliError, match="needs no repair"):
            commands.repair(topology=path, work=wreck.folder / "again", node=node)
        # A copy too few of what etcd forgot is a finding.
        archived = Path(wreck.file.archives()[0]) / SPOT
        next(archived.iterdir()).unlink()
        assert journal_commands.verify(topology=path) == 1
        assert "not in 2 whole copies" in capfd.readouterr().out
    finally:
        asyncio.run(new.stop())


async def test_two_people_have_to_agree_to_one_plan(wreck: Wreck) -> None:
    await wreck.survey(one_node(wreck))
    # Nobody listens there: whatever came as far as that would fail otherwise.
    client = EtcdClient(wreck.etcd.settings())
    try:
        with pytest.raises(RepairError, match="nobody has"):
            await apply(wreck.file, wreck.work, client)
        wreck.approve("Ann")
        wreck.approve("Ann")
        with pytest.raises(RepairError, match="ann has"):
            await apply(wreck.file, wreck.work, client)
        with pytest.raises(ApprovalError, match="not Ben's key"):
            wreck.approve("Ben", key="Ann")
        with pytest.raises(ApprovalError, match=r"no .*approver"):
            wreck.approve("Mallory", key="Ann")
        with pytest.raises(RepairError, match="type exactly"):
            approve(wreck.file, wreck.work, "Ben", wreck.key("Ben"), "yes")
        wreck.approve("Ben")
        with pytest.raises(RepairError, match="all members of the new cluster must run"):
            await apply(wreck.file, wreck.work, client)
        # Another survey is another plan: what was approved is void.
        await wreck.survey(one_node(wreck))
        with pytest.raises(RepairError, match="approved another plan"):
            await apply(wreck.file, wreck.work, client)
    finally:
        await client.close()


async def test_what_is_known_to_be_missing_is_refused(wreck: Wreck) -> None:
    sources = one_node(wreck)
    # No member of etcd at all: a node's log and the archive are enough.
    await wreck.survey(sources)
    plan = wreck.work.plan()
    assert plan.refusals() == []
    spot = next(each for each in plan.cells if each.cell == SPOT)
    assert spot.sequence >= wreck.acknowledged
    # Its log is gone as well, and only a snapshot says how far it was.
    for path in (wreck.file.data("amber") / "replica" / SPOT).iterdir():
        path.unlink()
    await wreck.survey(sources)
    refused = wreck.work.plan().refusals()
    assert any("snapshot" in told and "nobody has" in told for told in refused)
    with pytest.raises(RepairError, match="may not be carried out"):
        wreck.approve("Ann")
    await wreck.survey(sources, accepts_loss=True)
    plan = wreck.work.plan()
    assert plan.refusals() == []
    assert "accept the loss" in phrase(plan)
    # What nobody spoke of is not passed over either.
    await wreck.survey(Sources(members={}, nodes={}, lost=sources.lost), accepts_loss=True)
    assert any("node/amber" in told for told in wreck.work.plan().refusals())


async def test_what_cannot_be_replayed_is_no_journal() -> None:
    good = lead_batch(SPOT, EMPTY, b'{"at_ns": 1, "command": {"type": "tick"}}', "x")
    bad = Batch(2, 1, good.hash, [b"no command"], bytes(16))
    found = {cell: Chain(cell, EMPTY, []) for cell in CELLS}
    assert await problems(None, found) == {cell: [] for cell in CELLS}
    found[SPOT] = Chain(SPOT, EMPTY, [Found(source="a", batches=[good])])
    assert (await problems(None, found))[SPOT] == []
    found[SPOT] = Chain(SPOT, EMPTY, [Found(source="a", batches=[good, bad])])
    assert "entry 2 is of no kind" in (await problems(None, found))[SPOT][0]


def test_two_histories_are_never_joined() -> None:
    one = Batch(1, 1, GENESIS_HASH, [b"one"], bytes(16))
    two = Batch(2, 1, one.hash, [b"two"], bytes(16))
    other = Batch(2, 2, one.hash, [b"other"], bytes(16))
    later = Batch(4, 2, other.hash, [b"later"], bytes(16))
    sure = Found(source="a", batches=[one, two])
    assert not Chain(SPOT, EMPTY, [sure, Found(source="b", batches=[two])]).contradictions
    assert Chain(SPOT, EMPTY, [sure, Found(source="b", batches=[other])]).contradictions
    # What only a member's log has gives way to what was durable, and else to the log ahead.
    log = Found(source="m", batches=[one], unsure=[one, other], rank=(9, 9))
    assert Chain(SPOT, EMPTY, [log, sure]).end == two.head
    shorter = Found(source="n", batches=[one], unsure=[two], rank=(8, 9))
    joined = Chain(SPOT, EMPTY, [shorter, log])
    assert (joined.end, joined.unsure) == (other.head, 1)
    assert "nobody has 3 to 3" in joined.losses([Trace(source="s", sequence=3)])[0]
    gap = Chain(SPOT, EMPTY, [sure, Found(source="b", batches=[later])])
    assert "has entries 4 to 4, and nobody has 3 to 3" in gap.losses([])[0]
    wrong = Trace(source="s", sequence=1, hash="00")
    assert not gap.losses([wrong])[1:]
    assert gap.contradictions


async def test_what_a_member_did_not_know_to_be_durable_is_found(tmp_path: Path) -> None:
    """Of two members both must have each entry; what was answered last may be in a log only."""
    program("etcd")
    cluster = EtcdCluster.local(tmp_path / "etcd", size=2)
    await cluster.start()
    client = EtcdClient(cluster.settings())
    (survivor,) = await cluster.followers()
    journal = await EtcdJournal.open(client, SPOT)
    head = await journal.head()
    for number in range(20):
        head = await journal.append(head.sequence + 1, 1, [b"%d" % number])
    await cluster.kill()
    salvaged = await salvage(find_etcd(), survivor.directory, tmp_path, [SPOT])
    held = salvaged.cells[SPOT]
    assert held.log.batches[-1].head == head
    assert held.committed[-1].last <= head.sequence
    await cluster.start()
    try:
        with pytest.raises(SalvageError, match="stop it first"):
            await salvage(find_etcd(), survivor.directory, tmp_path, [SPOT])
        # Neither this cluster, by its id, nor another with a journal in it, is written by a repair.
        batch = Batch(1, 1, GENESIS_HASH, [b"other"], bytes(16))
        cells = [Restored(keys=Keys("seawall", SPOT), previous=GENESIS_HASH, batches=[batch])]
        with pytest.raises(RestoreError, match="old one's id"):
            await Restore(client, "x", cells, [salvaged.cluster]).check_members()
        for step in (Restore.is_open, Restore.guard):
            with pytest.raises(RestoreError, match=r"not empty|another journal"):
                await step(Restore(client, "x", cells))
        assert await journal.head() == head
    finally:
        await client.close()
        await cluster.stop()
