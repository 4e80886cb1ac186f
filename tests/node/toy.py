"""A cell small enough to be wrong on purpose: it adds the lengths of users' names.

It takes the identity cell's commands, so that records are encoded and decoded as in earnest.
"""

from collections.abc import Callable

from seawall.lib.invariants import invariant
from seawall.model.commands import (
    CreateUser,
    IdentityCommand,
    IdentityRecord,
    Lead,
    decode_identity_record,
)
from seawall.model.events import CommandRepeated, Event, Led
from seawall.node.cell import Cell


class ToyState:
    def __init__(self) -> None:
        self.sequence = 0
        self.at_ns = 0
        self.epoch = 0
        self.names: list[str] = []
        self.ids: dict[str, int] = {}


def commit_toy(
    state: ToyState, command: IdentityCommand, *, sequence: int, at_ns: int, command_id: str = ""
) -> list[Event]:
    """Remember names in order; the name `poison` breaks an invariant."""
    invariant(sequence == state.sequence + 1, "entries apply in order, without holes")
    invariant(at_ns > state.at_ns, "journal time strictly increases")
    state.sequence, state.at_ns = sequence, at_ns
    if command_id in state.ids:
        return [CommandRepeated(state.ids[command_id])]
    if command_id:
        state.ids[command_id] = sequence
    if isinstance(command, Lead):
        state.epoch = command.epoch
        return [Led(command.epoch, command.node)]
    if isinstance(command, CreateUser):
        invariant(command.name != "poison", "nobody is called poison")
        state.names.append(command.name)
    return []


def toy_cell(digest: Callable[[ToyState], str] | None = None) -> Cell[ToyState]:
    """Return an empty toy; `digest` may lie."""
    return Cell(
        name="toy",
        state=ToyState(),
        record=IdentityRecord,
        decode=decode_identity_record,
        commit=commit_toy,
        digest=digest or _digest,
        dump=_dump,
        load=_load,
        check=_check,
    )


def _digest(state: ToyState) -> str:
    return f"{state.sequence}/{state.at_ns}/{state.epoch}/{state.names}/{state.ids}"


def _dump(state: ToyState) -> bytes:
    return _digest(state).encode()


def _load(data: bytes) -> ToyState:
    sequence, at_ns, epoch, _ = data.decode().split("/", 3)
    state = ToyState()
    state.sequence, state.at_ns, state.epoch = int(sequence), int(at_ns), int(epoch)
    return state


def _check(state: ToyState) -> None:
    invariant("poison" not in state.names, "nobody is called poison")
