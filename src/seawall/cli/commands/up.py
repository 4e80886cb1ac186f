"""`seawall up`.  The rule: it says where everything is, and stops cleanly when asked."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import msgspec
import uvloop
from cyclopts import Parameter
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from seawall.cli.configuration import load
from seawall.cli.demo import BOT_FILE
from seawall.cli.exchange import Started, run_exchange
from seawall.cli.main import version
from seawall.cli.options import DEFAULT_DATA, Config, Json
from seawall.cli.output import human, notes, print_json
from seawall.cli.settings import Configuration


def up(
    *,
    demo: Annotated[bool, Parameter(negative=())] = False,
    data: Annotated[
        Path | None, Parameter(help="Directory of the exchange's data; SEAWALL_DATA names it too.")
    ] = None,
    port: Annotated[int | None, Parameter(help="Port to listen on; 0 takes a free one.")] = None,
    host: Annotated[str | None, Parameter(help="Address to listen on.")] = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Run an exchange until Ctrl-C or SIGTERM; it goes on from the data of last time.

    Parameters
    ----------
    demo
        Keep a market alive on real data, and make keys of a funded user.
    """
    # The command line is one more layer over the configuration, checked like the others.
    given = {
        "SEAWALL__EXCHANGE__DEMO": "true" if demo else None,
        "SEAWALL__EXCHANGE__DATA": None if data is None else str(data),
        "SEAWALL__GATEWAY__PORT": None if port is None else str(port),
        "SEAWALL__GATEWAY__HOST": host,
    }
    environment = os.environ | {name: text for name, text in given.items() if text is not None}
    return _run(load(config, environment), as_json=json)


def _run(configuration: Configuration, *, as_json: bool) -> int:
    status = notes.status("Starting …")
    status.start()

    async def on_replay(cell: str, done: int, total: int) -> None:
        status.update(f"Replaying the journal of {cell}: {done:,} of {total:,} entries …")

    def on_start(started: Started) -> None:
        status.stop()
        if as_json:
            print_json(msgspec.to_builtins(started, enc_hook=str))
        else:
            _tell(started)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(run_exchange(configuration, os.getpid(), on_start, on_replay))
    finally:
        status.stop()
    if not as_json:
        _tell_end(code, configuration)
    return code


def _tell(started: Started) -> None:
    rows = Table.grid(padding=(0, 2))
    rows.add_row("page", f"[bold]{started.url}/[/]")
    rows.add_row("API", f"{started.url}/api/v3, as Binance's; streams at /ws and /stream")
    rows.add_row("data", escape(str(started.data)))
    if started.keys is not None:
        rows.add_row("keys", f"{escape(str(started.keys))} (a funded user)")
        rows.add_row("a bot", f"python {escape(str(started.data / BOT_FILE))} (with ccxt)")
        rows.add_row("chain", _chain(started))
    if started.status:
        rows.add_row("status", f"[bold]{started.status}/[/], and in Arabic at /ar/")
    rows.add_row("metrics", f"{started.url}/metrics")
    rows.add_row("log", escape(str(started.log)) if started.log else "standard error")
    if started.restored:
        rows.add_row("restored", f"{started.restored:,} journal entries")
    if started.page == "plain":
        rows.add_row("note", "the plain page is served; `make page` builds the full one")
    title = f"[bold]{version()}[/]" + (" · demo" if started.demo else "")
    human.print(
        Panel(rows, title=title, title_align="left", subtitle="Ctrl-C stops it", expand=False)
    )
    if started.chain:
        _tell_money(started.data)
        _tell_control(started.data)
    human.file.flush()


def _chain(started: Started) -> str:
    if started.chain:
        return f"{started.chain}, with play coins: what users deposit and withdraw is on it"
    if started.no_chain:
        return f"none, so nothing comes in or goes out: {escape(started.no_chain)}"
    return "none, so nothing comes in or goes out"


def _tell_money(data: Path) -> None:
    """Say how money comes in and goes out, in words that can be pasted."""
    at = "" if data == Path(DEFAULT_DATA) else f" --data {escape(str(data))}"
    human.print("Money in and out, from another terminal:")
    for line in (
        f"seawall demo faucet demo ETH 1.5{at}   # a deposit, credited when it is final",
        f"seawall demo withdraw ETH 0.5 ADDRESS{at}   # to any 0x… address",
        f"seawall demo transaction ID{at}   # the transaction of either",
        f"seawall funding queue{at}   # what waits, and why",
    ):
        human.print(f"  [dim]$[/] {line}")


def _tell_control(data: Path) -> None:
    """Say how services are closed and come back, in words that can be pasted."""
    at = "" if data == Path(DEFAULT_DATA) else f" --data {escape(str(data))}"
    human.print("A bad day, and the way back:")
    for line in (
        f"seawall posture{at}   # every service, and what it waits for",
        f'seawall posture order paused "withdrawal/*" --reason "a rehearsal" --person ada{at}',
        f'seawall reopen start "withdrawal/*" --person ada{at}   # stage by stage, by its gates',
        f"seawall reopen{at}   # and `seawall approve PLAN STAGE --person NAME`, by two people",
    ):
        human.print(f"  [dim]$[/] {line}")


def _tell_end(code: int, configuration: Configuration) -> None:
    if code:
        notes.print(
            "[bold red]✗[/] The exchange stopped by itself; what it acknowledged is in the journal."
        )
        notes.print(
            f"  [dim]Its log says why; check: seawall journal verify"
            f" --data {escape(configuration.exchange.data)}[/]"
        )
    else:
        human.print("[green]✓[/] Stopped; `seawall up` goes on from here.")
