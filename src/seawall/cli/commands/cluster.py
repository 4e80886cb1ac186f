"""`seawall cluster`: three providers on one machine.  The rule: play, never a real deployment."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.markup import escape

from seawall.cli.options import Json
from seawall.cli.output import CliError, Exit, human, print_json

if TYPE_CHECKING:
    from seawall.lab.cluster_control import Ask, Told

DEFAULT_CLUSTER = "seawall-cluster"

Cluster = Annotated[
    Path,
    Parameter(
        name="--data", env_var="SEAWALL_CLUSTER", help="Directory of the cluster on this machine."
    ),
]
HERE = Path(DEFAULT_CLUSTER)


def up(
    *,
    topology: Path,
    data: Cluster = HERE,
    demo: Annotated[bool, Parameter(negative=())] = False,
    small_disks: Annotated[bool, Parameter(negative=())] = False,
    loopback: Annotated[bool, Parameter(negative=())] = False,
    watch: bool = True,
    config: Path | None = None,
    json: Json = False,
) -> int:
    """Run a whole cluster on this machine until Ctrl-C, SIGTERM or `seawall cluster down`.

    As root on Linux each provider gets a network namespace, and can be cut off; elsewhere all are
    on loopback addresses. Certificates are made if the topology has [tls]. Its addresses are moved
    to a network of the cluster's own.

    Parameters
    ----------
    topology
        TOML file of providers, etcd members and nodes.
    demo
        Keep a market alive on real data, and make keys of a funded user.
    small_disks
        Give each provider a disk of 2 GiB, which `disk-full` can fill; needs root.
    loopback
        Loopback addresses even where namespaces can be made.
    watch
        Start a watcher at each provider, and rule by the runbook `default`.
    config
        TOML file of settings that all nodes read.
    """
    from seawall.cli.cluster_run import run_cluster
    from seawall.cli.cluster_status import load_topology
    from seawall.lab.local_cluster import LocalCluster

    file = load_topology(topology)
    try:
        text = "" if config is None else config.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"{config} cannot be read: {error}", "Name a TOML file.") from error
    cluster = LocalCluster(
        file.topology,
        data,
        configuration=text,
        demo=demo,
        small_disks=small_disks,
        namespaces=False if loopback else None,
    )
    return asyncio.run(run_cluster(cluster, watch=watch, as_json=json))


def down(*, data: Cluster = HERE, json: Json = False) -> int:
    """Stop the cluster that runs on a directory, or what is left of it; the data stays."""
    from seawall.cli.cluster_run import stop_cluster

    said = asyncio.run(stop_cluster(data))
    _say({"data": data, "said": said}, said, as_json=json)
    return int(Exit.OK)


def status(*, data: Cluster = HERE, json: Json = False) -> int:
    """Say how each provider is."""
    from seawall.cli.cluster_status import providers_table
    from seawall.lab.cluster_control import STATUS, Ask

    told = _tell(data, Ask(verb=STATUS))
    if json:
        print_json(told.status)
    else:
        human.print(providers_table(told.status))
    return int(Exit.OK)


def cut(provider: str, /, *, one_way: str = "", data: Cluster = HERE, json: Json = False) -> int:
    """Cut a provider off the others; packets are lost without a word. Needs namespaces.

    This machine, where you are, still reaches it, as users of another network do.

    Parameters
    ----------
    provider
        Which.
    one_way
        `in` loses only what it is sent, `out` only what it sends.
    """
    from seawall.lab.cluster_control import Ask

    return _act(data, Ask(verb="cut", provider=provider, one_way=one_way), as_json=json)


def heal(provider: str, /, *, data: Cluster = HERE, json: Json = False) -> int:
    """Undo a provider's cuts, slowness and full disk.

    Parameters
    ----------
    provider
        Which.
    """
    return _plain("heal", provider, data, as_json=json)


def kill(provider: str, /, *, data: Cluster = HERE, json: Json = False) -> int:
    """End a provider's processes with SIGKILL.

    Parameters
    ----------
    provider
        Which.
    """
    return _plain("kill", provider, data, as_json=json)


def start(provider: str, /, *, data: Cluster = HERE, json: Json = False) -> int:
    """Start what does not run at a provider.

    Parameters
    ----------
    provider
        Which.
    """
    return _plain("start", provider, data, as_json=json)


def pause(provider: str, /, *, data: Cluster = HERE, json: Json = False) -> int:
    """Stop a provider's processes in the middle of what they do (SIGSTOP).

    Parameters
    ----------
    provider
        Which.
    """
    return _plain("pause", provider, data, as_json=json)


def resume(provider: str, /, *, data: Cluster = HERE, json: Json = False) -> int:
    """Let a paused or slow provider run on.

    Parameters
    ----------
    provider
        Which.
    """
    return _plain("resume", provider, data, as_json=json)


def slow(
    provider: str,
    /,
    *,
    delay_ms: int = 200,
    loss_percent: float = 0.0,
    data: Cluster = HERE,
    json: Json = False,
) -> int:
    """Delay what a provider sends: by netem where the kernel has it, else by stopping it often.

    Parameters
    ----------
    provider
        Which.
    delay_ms
        How late each packet is, or how long each stop.
    loss_percent
        How many packets are lost; only with netem.
    """
    from seawall.lab.cluster_control import Ask

    ask = Ask(verb="slow", provider=provider, delay_ms=delay_ms, loss_percent=loss_percent)
    return _act(data, ask, as_json=json)


def disk_full(provider: str, /, *, data: Cluster = HERE, json: Json = False) -> int:
    """Leave no byte free on a provider's disk; needs `up --small-disks`.

    Parameters
    ----------
    provider
        Which.
    """
    return _plain("disk-full", provider, data, as_json=json)


def disk_ok(provider: str, /, *, data: Cluster = HERE, json: Json = False) -> int:
    """Give a provider's disk its space back.

    Parameters
    ----------
    provider
        Which.
    """
    return _plain("disk-ok", provider, data, as_json=json)


def secrets(folder: Path, /, *, json: Json = False) -> int:
    """Make what all nodes of a cluster share, for the first node's data; copy it to the others.

    Parameters
    ----------
    folder
        A node's data directory; what is there already stays as it is.
    """
    from seawall.gateway.secrets import SHARED, make_secrets

    try:
        made = make_secrets(folder)
    except OSError as error:
        raise CliError(
            f"{folder} cannot be written: {error.strerror}",
            "Choose a directory you may write to.",
            Exit.UNREACHABLE,
        ) from error
    if json:
        print_json({"made": made, "shared": [folder / name for name in SHARED]})
        return int(Exit.OK)
    for name in SHARED:
        word = "made" if folder / name in made else "was there"
        human.print(f"[green]✓[/] {escape(str(folder / name))} [dim]{word}[/]")
    human.print("Copy them to every node's data directory, over a channel that nobody reads.")
    return int(Exit.OK)


def _plain(verb: str, provider: str, data: Path, *, as_json: bool) -> int:
    from seawall.lab.cluster_control import Ask

    return _act(data, Ask(verb=verb, provider=provider), as_json=as_json)


def _act(data: Path, ask: "Ask", *, as_json: bool) -> int:
    told = _tell(data, ask)
    if told.error:
        raise CliError(
            f"{ask.provider}: {told.error}", "`seawall cluster status` says how all are."
        )
    document = {"provider": ask.provider, "verb": ask.verb, "said": told.said}
    _say(document, f"{ask.provider} {told.said}", as_json=as_json)
    return int(Exit.OK)


def _say(document: dict[str, Any], words: str, *, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        human.print(f"[green]✓[/] {escape(words)}")


def _tell(data: Path, ask: "Ask") -> "Told":
    from seawall.lab.cluster_control import tell
    from seawall.lab.local_state import ClusterError

    try:
        return asyncio.run(tell(data, ask))
    except ClusterError as error:
        raise CliError(
            f"{error}.",
            f"Start one: seawall cluster up --topology topologies/three-clouds.toml --data {data}",
            Exit.UNREACHABLE,
        ) from error
