"""What one node does for the whole cluster.  The rule: whoever leads the cell does it.

A duty begins when this node takes the cell's lead, and ends when it loses it.  For a moment two
nodes may do the same, so whatever a duty does must be harmless when it is done twice: it acts by
commands, and the journal takes each once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from seawall.cli.bootstrap import bootstrap
from seawall.cli.control import bootstrap_control
from seawall.cli.output import CliError
from seawall.cli.settings import Configuration
from seawall.lab.demo import DemoMarket
from seawall.model.ids import CONTROL, SPOT
from seawall.node.errors import NodeError, UnavailableError
from seawall.node.node import Node

LOOK_S: Final = 0.1
"""How often it is looked whether this node leads."""
AGAIN_S: Final = 1.0
"""After a duty that failed."""

_log = structlog.get_logger("seawall.cli")


class Duty:
    """Work for as long as this node leads a cell."""

    def __init__(
        self, name: str, leads: Callable[[], bool], work: Callable[[], Awaitable[None]]
    ) -> None:
        """`work` may return, or go on until it is cancelled."""
        self.name = name
        self._leads = leads
        self._work = work

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.get_running_loop().create_task(self._run(), name=f"duty {self.name}")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            while not self._leads():  # noqa: ASYNC110  (roles change without a word)
                await asyncio.sleep(LOOK_S)
            _log.info("duty begins", duty=self.name)
            work = asyncio.ensure_future(self._work())
            try:
                while self._holds(work):  # noqa: ASYNC110  (roles change without a word)
                    await asyncio.sleep(LOOK_S)
            finally:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
            await self._ended(work)

    def _holds(self, work: "asyncio.Future[None]") -> bool:
        """Whether the work goes on, or is done and need not be done again."""
        return self._leads() and not (work.done() and work.exception())

    async def _ended(self, work: "asyncio.Future[None]") -> None:
        error = None if work.cancelled() else work.exception()
        if error is None:
            _log.info("duty ends", duty=self.name)
            return
        if isinstance(error, NodeError | CliError):
            _log.warning("duty failed", duty=self.name, why=str(error))
        else:
            _log.error("duty failed", duty=self.name, exc_info=error)
        await asyncio.sleep(AGAIN_S)


def exchange_duty(node: Node, configuration: Configuration) -> Duty:
    """List what the configuration names, then keep a demo's market alive."""

    async def work() -> None:
        count = await bootstrap(node, configuration)
        _log.info("listed", commands=count)
        if configuration.exchange.demo:
            await _play(node)

    return Duty("exchange", lambda: node.leads(SPOT), work)


def control_duty(node: Node, configuration: Configuration) -> Duty:
    """Adopt the runbook and name the watchers that the configuration has."""

    async def work() -> None:
        _log.info("control is set up", commands=await bootstrap_control(node, configuration))

    return Duty("control", lambda: node.leads(CONTROL), work)


async def _play(node: Node) -> None:
    market = DemoMarket(node)
    try:
        await market.start()
        await market.ended()
    finally:
        await market.stop()
    raise UnavailableError("the demo market has ended")
