"""A node's part in incident control.  The rule: it carries out and measures; control decides."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import Metric

from seawall.model.commands import Command
from seawall.model.events import Event
from seawall.node.control_metrics import control_families
from seawall.node.enactor import Proposal, proposals
from seawall.node.enactor_driver import EnactorDriver, Submit
from seawall.node.gates_driver import GatesDriver

if TYPE_CHECKING:
    from seawall.node.node import Node


class Controlling:
    """The enactor and the gate checkers of one node."""

    def __init__(self, node: "Node", submit: Submit) -> None:
        self._node = node
        self.enactor = EnactorDriver(self._propose, submit, node.leads)
        self.gates = GatesDriver(node)
        node.metrics.more.append(self._families)

    def start(self) -> None:
        if self._node.membership is not None:
            self._node.membership.on_digest = self.gates.on_digest
        self.enactor.start()
        self.gates.start()

    async def stop(self) -> None:
        await self.enactor.stop()
        await self.gates.stop()

    def look(self) -> None:
        """Look again what there is to do: who leads what has changed."""
        self.enactor.look()

    def on_entry(
        self, cell: str, sequence: int, at_ns: int, command: Command, events: list[Event]
    ) -> None:
        self.enactor.on_entry(cell, sequence, at_ns, command, events)
        self.gates.on_entry(cell, sequence, at_ns, command, events)

    def _propose(self) -> list[Proposal]:
        node = self._node
        return proposals(node.control.book, node.spot, node.funding)

    def _families(self) -> Iterator[Metric]:
        node = self._node
        return control_families(node.control, node.funding, node.clock.now_ns())
