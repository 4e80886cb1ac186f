"""The demo's status site: its own process, as in earnest.  The rule: the demo goes on without it.

What a real exchange puts to unrelated places is put into two folders here, and shown on a port of
this machine.
"""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from seawall.lab.tied import tied

HOST: Final = "127.0.0.1"
LOG_FILE: Final = "status.log"
SETTINGS: Final = """\
[status]
gateways = [{gateway}]
url = {url}
data = {data}
every_s = 1

[[status.target]]
url = {one}

[[status.target]]
url = {other}
"""

_log = structlog.get_logger("seawall.demo")


@asynccontextmanager
async def demo_status(data: Path, gateway: str) -> AsyncIterator[str]:
    """Keep `seawall status run` running; yields where its page is, "" if it cannot be."""
    folder = (data / "demo" / "status").absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        port = _free_port()
        url = f"http://{HOST}:{port}"
        (folder / "status.toml").write_text(_settings(folder, gateway, url), "utf-8")
        process = await _start(folder, port)
    except OSError as error:
        _log.warning("the demo has no status site", reason=str(error))
        yield ""
        return
    try:
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _start(folder: Path, port: int) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "seawall", "status", "run"]
    command += ["--config", str(folder / "status.toml"), "--listen", f"{HOST}:{port}"]
    with (folder / LOG_FILE).open("wb") as output:
        return await asyncio.create_subprocess_exec(
            *tied(command), stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
        )


def _settings(folder: Path, gateway: str, url: str) -> str:
    # JSON's strings are TOML's.
    return SETTINGS.format(
        gateway=json.dumps(gateway),
        url=json.dumps(url),
        data=json.dumps(str(folder / "state")),
        one=json.dumps(f"file:{folder / 'site'}"),
        other=json.dumps(f"file:{folder / 'copy'}"),
    )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        port: int = free.getsockname()[1]
        return port
