"""Runs a cluster on one machine in the foreground.  The rule: it ends all that it started."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from seawall.cli.accounts import DEMO_FUNDS, DEMO_USER
from seawall.cli.cluster_status import providers_table
from seawall.cli.control import PERSON as CONFIGURATION
from seawall.cli.control import WATCHED, runbook_text
from seawall.cli.demo_file import KEYS_FILE
from seawall.cli.exchange import stop_event
from seawall.cli.main import version
from seawall.cli.output import CliError, Exit, human, print_json
from seawall.gateway.sealing import write_private
from seawall.lab.cluster_control import DOWN, Ask, tell
from seawall.lab.cluster_owner import controlled
from seawall.lab.etcd import EtcdLabError
from seawall.lab.local_cluster import LocalCluster, clean_up
from seawall.lab.local_state import ClusterError, read_state
from seawall.lab.local_watchers import LocalWatchers
from seawall.lab.netns import NetworkError
from seawall.lab.small_disk import DiskError
from seawall.model.topology import TopologyError

PERSON: Final = "seawall cluster up"
LOOK_S: Final = 1.0
DOWN_S: Final = 120.0


async def run_cluster(cluster: LocalCluster, *, watch: bool, as_json: bool) -> int:
    """Run until a signal or `down`; return the exit code."""
    stop = stop_event()
    try:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(controlled(cluster, stop.set))
            stack.push_async_callback(cluster.stop)
            await cluster.spawn()
            if not await _ready(cluster, stop, as_json=as_json):
                return int(Exit.OK)
            if watch:
                await _watch(cluster, stack)
            keys = await _demo_keys(cluster) if cluster.demo else None
            if as_json:
                print_json({"gateways": cluster.gateways, "data": cluster.directory, "keys": keys})
            else:
                _tell(cluster, keys)
            await _until_stopped(cluster, stop, as_json=as_json)
            if not as_json:
                human.print("Stopping …")
    except (ClusterError, EtcdLabError, NetworkError, DiskError, TopologyError) as error:
        raise CliError(str(error), "See the output files in the cluster's directory.") from error
    if not as_json:
        human.print("[green]✓[/] Stopped; the same command goes on from here.")
    return int(Exit.OK)


async def _watch(cluster: LocalCluster, stack: AsyncExitStack) -> None:
    """Start a watcher at each provider, and rule by the runbook that waits for them."""
    watchers = LocalWatchers(cluster, cluster.directory / "watchers", PERSON)
    stack.push_async_callback(watchers.stop)
    await watchers.start()
    text = runbook_text(WATCHED)
    known = await cluster.operator("runbook", method="GET")
    # One that a person adopted stays.
    if known["text"] != text and known["person"] in {"", PERSON, CONFIGURATION}:
        await cluster.operator("runbook", {"text": text, "person": PERSON})


async def stop_cluster(data: Path) -> str:
    """Stop what runs on the directory, and return what was done."""
    if read_state(data) is None:
        raise CliError(f"No cluster runs on {data}.", "There is nothing to stop.", Exit.UNREACHABLE)
    try:
        await tell(data, Ask(verb=DOWN))
    except ClusterError:
        ended = await clean_up(data)
        return f"its owner was gone; ended {ended} processes that it left"
    try:
        async with asyncio.timeout(DOWN_S):
            while read_state(data) is not None:  # noqa: ASYNC110  (the file is another's)
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise CliError(
            f"The cluster on {data} has not stopped after {DOWN_S:.0f} s.",
            "Look at its terminal; a second Ctrl-C there ends it at once.",
        ) from None
    return "stopped"


async def _ready(cluster: LocalCluster, stop: asyncio.Event, *, as_json: bool) -> bool:
    """Wait until all serve; return False if a signal came first."""
    asked = asyncio.ensure_future(stop.wait())
    ready = asyncio.ensure_future(cluster.ready())
    async with _shown(cluster, "Starting …", as_json=as_json):
        await asyncio.wait({asked, ready}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not ready.done():
        ready.cancel()
        await asyncio.gather(ready, return_exceptions=True)
        return False
    try:
        ready.result()
    except TimeoutError:
        raise ClusterError("the cluster did not become ready in time") from None
    return True


async def _until_stopped(cluster: LocalCluster, stop: asyncio.Event, *, as_json: bool) -> None:
    async with _shown(cluster, "Ctrl-C stops it", as_json=as_json):
        await stop.wait()


@asynccontextmanager
async def _shown(cluster: LocalCluster, title: str, *, as_json: bool) -> AsyncIterator[None]:
    """Keep a table of the providers on the terminal, if there is one."""
    if as_json or not human.is_terminal:
        yield
        return
    with Live(title, console=human, refresh_per_second=4, transient=True) as live:
        showing = asyncio.get_running_loop().create_task(_show(cluster, live, title))
        try:
            yield
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)


async def _show(cluster: LocalCluster, live: Live, title: str) -> None:
    while True:
        status = [msgspec.to_builtins(each) for each in await cluster.status()]
        live.update(Group(providers_table(status), f"[dim]{title}[/]"))
        await asyncio.sleep(LOOK_S)


async def _demo_keys(cluster: LocalCluster) -> Path:
    """Make a funded user's keys once."""
    path = cluster.directory / KEYS_FILE
    if not path.exists():
        key = await cluster.fund(DEMO_USER, DEMO_FUNDS, reference="demo")
        document: dict[str, Any] = {"apiKey": key.api_key, "secretKey": key.secret}
        write_private(path, msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")
    return path


def _node_data(cluster: LocalCluster) -> Path:
    """Return the data directory of the first node, for operators' commands."""
    provider = next(iter(cluster.providers.values()))
    return provider.nodes[0].data


def _tell(cluster: LocalCluster, keys: Path | None) -> None:
    rows = Table.grid(padding=(0, 2))
    for name, url in cluster.gateways.items():
        rows.add_row(escape(name), f"[bold]{url}/[/]")
    where = "a network namespace each" if cluster.network else "loopback addresses; no cuts"
    rows.add_row("providers", where)
    rows.add_row("data", escape(str(cluster.directory)))
    if keys is not None:
        rows.add_row("keys", f"{escape(str(keys))} (a funded user)")
    title = f"[bold]{version()}[/] · {escape(cluster.topology.name)}"
    human.print(Panel(rows, title=title, title_align="left", expand=False))
    at = f" --data {escape(str(cluster.directory))}"
    first = next(iter(cluster.providers))
    human.print("Hurt it, from another terminal:")
    for line in (
        f"seawall cluster status{at}",
        f"seawall cluster kill {first}{at}   # and `start`; `pause` and `resume`",
        f"seawall cluster cut {first}{at}   # and `heal`",
        f"seawall posture --data {escape(str(_node_data(cluster)))}   # what control makes of it",
    ):
        human.print(f"  [dim]$[/] {line}")
    human.file.flush()
