"""Verification of a cluster from outside.  The rule: it only reads, and needs no node."""

from pathlib import Path

from msgspec import structs

from seawall.cli.cluster_node import etcd_settings
from seawall.cli.cluster_status import load_topology
from seawall.cli.output import CliError, Exit
from seawall.journal.archive import Archive
from seawall.journal.etcd import EtcdJournal
from seawall.journal.etcd_client import EtcdClient
from seawall.journal.port import GENESIS_HASH, Journal, JournalError
from seawall.node.cluster_journals import open_archive
from seawall.node.replay import Progress
from seawall.node.topology_file import TopologyFile
from seawall.node.verify import CellVerified, VerifyReport, verify_journals


def any_client(file: TopologyFile) -> EtcdClient:
    """Return a client with the certificate of any of the nodes."""
    for place in file.topology.node:
        tls = file.tls(place.name)
        if tls is None or tls.certificate.is_file():
            return EtcdClient(etcd_settings(file, place))
    raise CliError(
        "None of the nodes' certificates is here.",
        "Copy one to where the topology says, with its key and the authority's.",
        Exit.USAGE,
    )


async def verify_cluster(topology: Path, progress: Progress | None = None) -> VerifyReport:
    """Replay all cells from archive and etcd, and see whether the archive has enough copies."""
    file = load_topology(topology)
    archive = open_archive(file)
    client = any_client(file)

    async def open_journal(cell: str) -> Journal:
        return await EtcdJournal.open(client, cell, archive=archive)

    try:
        report = await verify_journals(open_journal, progress)
        if archive is None:
            return report
        cells = [await _with_copies(each, client, archive) for each in report.cells]
    finally:
        await client.close()
    return VerifyReport(ok=all(each.ok for each in cells), cells=cells)


async def _with_copies(found: CellVerified, client: EtcdClient, archive: Archive) -> CellVerified:
    """Add what is wrong with the copies of what etcd no longer has."""
    try:
        bounds = await (await EtcdJournal.open(client, found.cell)).bounds()
        ends = await archive.confirmed(found.cell, 0, GENESIS_HASH)
    except JournalError as error:
        problem = str(error)
    else:
        copied, needed = max(ends, default=0), bounds[0].first - 1 if bounds else 0
        if copied >= needed:
            return found
        problem = (
            f"entries {copied + 1} to {needed} are in the archive alone,"
            f" and not in {archive.copies} whole copies"
        )
    return structs.replace(found, ok=False, problems=[*found.problems, problem])
