"""`seawall node`.  The rule: one process is one node, and its end says why.

What it runs is imported when it runs: the command line reads this module for its options.
"""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from seawall.cli.options import Config, Data, Json
from seawall.cli.output import CliError, Exit, human, notes, print_json

if TYPE_CHECKING:
    from seawall.cli.cluster_node import NodeStarted
    from seawall.node.topology_file import TopologyFile


def run(
    *,
    topology: Path,
    name: str,
    config: Config = None,
    data: Annotated[
        Path | None, Parameter(help="Directory of the node's data; the topology's unless named.")
    ] = None,
    json: Json = False,
) -> int:
    """Run one node of a cluster until Ctrl-C or SIGTERM; it hands over what it leads, and goes.

    Parameters
    ----------
    topology
        TOML file that names the cluster's providers, etcd members and nodes.
    name
        Which of its nodes this is.
    """
    import uvloop

    from seawall.cli.cluster_node import run_node
    from seawall.cli.cluster_status import load_topology
    from seawall.cli.configuration import load

    file = load_topology(topology)
    folder = _folder(file, name, data)
    configuration = load(config, os.environ | {"SEAWALL__EXCHANGE__DATA": str(folder)})
    status = notes.status(f"{name} starts …")
    status.start()

    async def on_replay(cell: str, done: int, total: int) -> None:
        status.update(f"Replaying the journal of {cell}: {done:,} of {total:,} entries …")

    def on_waiting(why: str) -> None:
        status.update(f"Waiting for a journal with a majority: {escape(why)}")
        if not notes.is_terminal:
            notes.print(f"{name} waits for a journal with a majority: {why}", markup=False)

    def on_start(started: "NodeStarted") -> None:
        status.stop()
        if json:
            print_json(started)
        else:
            _tell(started)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(
                run_node(file, name, configuration, os.getpid(), on_start, on_waiting, on_replay)
            )
    finally:
        status.stop()
    if not json:
        _tell_end(name, code)
    return code


def _folder(file: "TopologyFile", name: str, data: Path | None) -> Path:
    """Return the node's directory, or raise CliError if there is no such node."""
    from seawall.model.topology import TopologyError

    try:
        usual = file.data(name)
    except TopologyError as error:
        raise CliError(str(error), "Name a node of the topology.", Exit.USAGE) from None
    return data or usual


def handover(cell: str, /, *, to: str = "", data: Data, url: str = "", json: Json = False) -> int:
    """Give the lead of a cell from the node on this data directory to another.

    Parameters
    ----------
    cell
        identity, funding, spot or control.
    to
        The node that shall lead; the most preferred that is there unless named.
    url
        The leading node's gateway, where that is not the one on the data directory.
    """
    from seawall.cli.running import Operator, operator

    desk = Operator(data, url) if url else operator(data)
    answer = desk.post(f"cells/{cell}/handover", {"to": to})
    if json:
        print_json(answer)
    else:
        human.print(f"[green]✓[/] {escape(answer['leader'])} leads {escape(answer['cell'])}.")
    return int(Exit.OK)


def status(*, data: Data, json: Json = False) -> int:
    """Say how the node on this data directory is; exit 1 if it does not take commands."""
    from seawall.cli.cluster_status import ask_cluster, cells_table
    from seawall.cli.running import read_running

    found = ask_cluster(read_running(data).url)
    if json:
        print_json(found)
    else:
        human.print(f"{escape(found['node'])} of {escape(found['cluster'] or 'no cluster')}")
        human.print(cells_table(found))
    return int(Exit.OK if found["ready"] else Exit.FAILED)


def _tell(started: "NodeStarted") -> None:
    from seawall.cli.main import version

    rows = Table.grid(padding=(0, 2))
    rows.add_row("page", f"[bold]{started.url}/[/]")
    rows.add_row("API", f"{started.url}/api/v3, as Binance's; streams at /ws and /stream")
    rows.add_row("cluster", f"{started.url}/seawall/v1/cluster says who leads")
    rows.add_row("others", escape(", ".join(started.others)))
    rows.add_row("data", escape(str(started.data)))
    rows.add_row("log", escape(str(started.log)) if started.log else "standard error")
    title = f"[bold]{version()}[/] · {escape(started.node)} of {escape(started.cluster)}"
    human.print(
        Panel(rows, title=title, title_align="left", subtitle="Ctrl-C stops it", expand=False)
    )
    human.file.flush()


def _tell_end(name: str, code: int) -> None:
    if code:
        notes.print(f"[bold red]✗[/] {escape(name)} stopped by itself; its log says why.")
    else:
        human.print(f"[green]✓[/] {escape(name)} stopped; the others go on.")
