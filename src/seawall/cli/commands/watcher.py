"""`seawall watch run` and `seawall watch key`.  The rule: a watcher reports; it never decides.

What it runs is imported when it runs: the command line reads this module for its options.
"""

import asyncio
import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.live import Live
from rich.markup import escape

from seawall.cli.options import Config, Json
from seawall.cli.output import CliError, Exit, human, notes, print_json

if TYPE_CHECKING:
    from seawall.cli.settings import LogSection
    from seawall.cli.watch_run import WatchPlan

Data = Annotated[
    Path,
    Parameter(name="--data", env_var="SEAWALL_DATA", help="Directory of the watcher's files."),
]


def run(
    *,
    topology: Path,
    name: str,
    provider: str | None = None,
    config: Config = None,
    data: Data,
    url: Annotated[tuple[str, ...], Parameter(name="--url", negative=())] = (),
    serve: Annotated[int | None, Parameter(name="--serve")] = None,
    json: Json = False,
) -> int:
    """Watch a cluster and report what is seen to it, until Ctrl-C or SIGTERM.

    Parameters
    ----------
    topology
        TOML file that names the cluster's providers, etcd members and nodes.
    name
        The watcher, as it was registered.
    provider
        Where it stands; the provider of its own name unless told, or none of them.
    url
        A gateway that takes the reports; repeat it for more. The topology's unless told.
    serve
        Show /metrics and /api/watch on this port of 127.0.0.1; 0 takes a free one.
    """
    import uvloop

    from seawall.cli.log import set_up
    from seawall.cli.settings import LogSection
    from seawall.cli.watch_run import run_watch
    from seawall.cli.watcher_table import table
    from seawall.watch.watch_page import WatchTold

    _check_name(name)
    plan, log = _plan(topology, name, provider, config, data, url, serve)
    shown = human.is_terminal and not json
    # A table shows all; where nobody looks, a line for each change.
    set_up(LogSection(level="error" if shown else log.level, to="stderr"), data)
    live = Live(console=human, refresh_per_second=2) if shown else None

    def on_start(page: str) -> None:
        if json:
            print_json({"watcher": name, "provider": plan.provider, "pid": os.getpid(),
                        "url": page})  # fmt: skip
        elif page:
            notes.print(f"Metrics: {page}metrics   JSON: {page}api/watch   (Ctrl-C ends)")

    def show(told: WatchTold) -> None:
        if live is not None:
            live.update(table(told))

    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    with live or contextlib.nullcontext(), runner:
        return runner.run(run_watch(plan, show, on_start))


def key(name: str, /, *, provider: str = "", data: Data, json: Json = False) -> int:
    """Make the key that a watcher signs its reports with, and print what the nodes must know.

    Parameters
    ----------
    name
        The watcher.
    provider
        Where it stands; its own name unless told.
    """
    from seawall.cli.watch_run import key_file
    from seawall.watch.signing import make_key

    _check_name(name)
    file = key_file(data, name)
    try:
        public = make_key(file)
    except FileExistsError:
        raise CliError(
            f"{file} has a key already.",
            "Move it away if the watcher shall have another; register that one then.",
            Exit.REFUSED,
        ) from None
    except OSError as error:
        raise CliError(
            f"{file} cannot be written: {error.strerror}.",
            "Choose a directory you may write to, with --data.",
            Exit.UNREACHABLE,
        ) from None
    if json:
        print_json({"name": name, "provider": provider or name, "key": public, "file": file})
    else:
        notes.print(f"[green]✓[/] The key of {escape(name)} is in {escape(str(file))}.")
        told = f'name = "{name}"\nprovider = "{provider or name}"\nkey = "{public}"'
        human.print(f"[[control.watcher]]\n{told}", markup=False)
    return int(Exit.OK)


def _check_name(name: str) -> None:
    from seawall.watch.watch_settings import NAME_PATTERN

    if not re.fullmatch(NAME_PATTERN, name):
        raise CliError(
            f"{name!r} is no name of a watcher.",
            "Use small letters, digits and dashes, 32 at most.",
            Exit.USAGE,
        )


def _plan(
    topology: Path,
    name: str,
    provider: str | None,
    config: Path | None,
    data: Path,
    urls: tuple[str, ...],
    serve: int | None,
) -> "tuple[WatchPlan, LogSection]":
    from seawall.cli.cluster_status import load_topology
    from seawall.cli.configuration import load
    from seawall.cli.watch_run import WatchPlan
    from seawall.watch.probes.http import AddressError, check_url

    file = load_topology(topology)
    known = [each.name for each in file.topology.provider]
    if provider is None:
        provider = name if name in known else ""
    if provider and provider not in known:
        raise CliError(
            f"The topology has no provider {provider}.", f"There are {', '.join(known)}.",
            Exit.USAGE,
        )  # fmt: skip
    try:
        for each in urls:
            check_url(each)
    except AddressError as error:
        raise CliError(f"--url: {error}.", "Name it like http://127.0.0.1:8080 .",
                       Exit.USAGE) from None  # fmt: skip
    configuration = load(config, os.environ)
    plan = WatchPlan(
        file=file, settings=configuration.watch, name=name, provider=provider, data=data,
        report_to=urls, serve=serve,
    )  # fmt: skip
    return plan, configuration.log
