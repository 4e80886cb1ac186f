"""What the node could not do.  The rule: each says whether the command may have taken effect."""

from collections.abc import Iterable

from seawall.journal.port import JournalError


class NodeError(Exception):
    """Any trouble of the node with a command."""


class InvalidCommandError(NodeError, ValueError):
    """The command cannot be journaled: too large, or not of its declared types.  Not executed."""


class OverloadedError(NodeError):
    """Too many commands wait already.  Surely not executed."""


class UnavailableError(NodeError):
    """The cell takes no commands: journal full or damaged, not leading.  Surely not executed."""


class NotLeadingError(UnavailableError):
    """Another node leads the cell.  Surely not executed; ask that one."""


class NoQuorumError(UnavailableError):
    """The journal has no majority.  Surely not executed; the message says what was last known."""


class OutcomeUnknownError(NodeError):
    """The command may have been executed; ask again with the same command id."""


class ReplayError(NodeError):
    """The journal holds an entry that this program cannot read."""


class CellsDisagreeError(JournalError):
    """The cells' journals are of different moments: together they would make or lose money."""

    def __init__(self, problems: Iterable[str]) -> None:
        super().__init__(
            f"the cells' journals are not of one moment: {'; '.join(problems)}. Put the journals of"
            " all cells back together, from one moment; see docs/operating/journal-damage.md"
        )
