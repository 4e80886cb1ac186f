"""What a cluster's nodes say of themselves.  The rule: asked of each, never remembered."""

from pathlib import Path
from typing import Any, Final

import httpx
from rich.markup import escape
from rich.table import Table

from seawall.cli.output import CliError, Exit
from seawall.model.topology import TopologyError
from seawall.node.topology_file import TopologyFile, read_topology

ASK_S: Final = 5.0


def ask_cluster(url: str) -> dict[str, Any]:
    """Return what a node says of its cluster, or raise CliError."""
    try:
        answer = httpx.get(f"{url}/seawall/v1/cluster", timeout=ASK_S, trust_env=False)
        found: dict[str, Any] = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise CliError(
            f"The node at {url} does not answer: {error}",
            "See whether it still runs, and its log.",
            Exit.UNREACHABLE,
        ) from error
    return found


def cells_table(found: dict[str, Any]) -> Table:
    table = Table("cell", "status", "leader", "epoch", "sequence", "current", box=None)
    for cell in found["cells"]:
        stale_s = cell["staleSeconds"]
        table.add_row(
            cell["cell"],
            escape(cell["status"]),
            escape(cell["leader"]) or "nobody",
            f"{cell['epoch']:,}",
            f"{cell['sequence']:,}",
            "never" if stale_s is None else f"{stale_s:.1f} s ago",
        )
    return table


def providers_table(status: list[dict[str, Any]]) -> Table:
    columns = ("provider", "state", "etcd", "node", "leads", "sequence", "current", "gateway")
    table = Table(*columns, box=None)
    for each in status:
        sequence, stale_s = each["sequence"], each["stale_s"]
        table.add_row(
            escape(each["name"]),
            _coloured(each["state"], "up"),
            _coloured(each["etcd"], "leads", "follows"),
            _coloured(each["node"], "leading", "following"),
            " ".join(each["leads"]),
            "" if sequence is None else f"{sequence:,}",
            "" if stale_s is None else f"{stale_s:.1f} s ago",
            each["gateway"].replace("http://", ""),
        )
    return table


def _coloured(word: str, *good: str) -> str:
    return f"[{'green' if word in good else 'red'}]{escape(word)}[/]"


def load_topology(path: Path) -> TopologyFile:
    """Read a topology, or raise CliError."""
    try:
        return read_topology(path)
    except TopologyError as error:
        raise CliError(str(error), "Mend the topology.", Exit.USAGE) from None
