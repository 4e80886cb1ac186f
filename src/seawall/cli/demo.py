"""The demo: a funded user with keys, and a market that lives.  The rule: outsiders' means only.

The user and the keys come through the operator API; what moves the market is `lab.demo`.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

import msgspec

from seawall.cli.accounts import DEMO_FUNDS, DEMO_USER, create_key, create_user
from seawall.cli.running import Operator
from seawall.lab.demo import DemoMarket
from seawall.node.node import Node

KEYS_FILE: Final = "demo-keys.json"
BOT_FILE: Final = "demo-bot.py"
BOT_TEMPLATE: Final = "demo-bot.py.template"


@asynccontextmanager
async def demo_market(node: Node, data: Path, url: str) -> AsyncIterator[Path]:
    """Fund a user once, keep the market alive while entered; yield where the keys are."""
    keys = data / KEYS_FILE
    await asyncio.to_thread(_prepare, node, data, url, keys)
    market = DemoMarket(node)
    await market.start()
    try:
        yield keys
    finally:
        await market.stop()


def _prepare(node: Node, data: Path, url: str, keys: Path) -> None:
    if not keys.exists():
        operator = Operator(data, url)
        funds = {asset: DEMO_FUNDS.get(asset, "1000") for asset in node.spot.assets}
        create_user(operator, DEMO_USER, funds)
        permissions = ("read", "trade", "withdraw")
        key = create_key(operator, DEMO_USER, label="demo", permissions=permissions)
        document = {name: key[name] for name in ("apiKey", "secretKey")}
        _write_private(keys, msgspec.json.format(msgspec.json.encode(document)) + b"\n")
    template = Template(files("seawall.cli").joinpath(BOT_TEMPLATE).read_text("utf-8"))
    bot = template.substitute(url=url, ws=url.replace("http", "ws", 1))
    (data / BOT_FILE).write_text(bot, "utf-8")


def _write_private(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
