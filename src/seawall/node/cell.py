"""A cell as the node sees it.  The rule: the node knows no orders, only records and digests.

The factories at the end bind the core's functions; everything else of the node is generic.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from seawall.core.control.invariants import check_control
from seawall.core.control.machine import commit_control
from seawall.core.control.state import ControlState, digest_control, dump_control, load_control
from seawall.core.funding import commit_funding
from seawall.core.funding_invariants import check_funding
from seawall.core.funding_state import FundingState, digest_funding, dump_funding, load_funding
from seawall.core.identity import commit_identity
from seawall.core.identity_state import IdentityState
from seawall.core.invariants import check_identity, check_spot
from seawall.core.machine import commit_spot
from seawall.core.snapshots import dump_identity, dump_spot, load_identity, load_spot
from seawall.core.spot_state import SpotState
from seawall.core.state_digest import digest_identity, digest_spot
from seawall.model.commands import (
    Command,
    IdentityRecord,
    SpotRecord,
    decode_identity_record,
    decode_spot_record,
    encode_record,
)
from seawall.model.control_commands import ControlRecord, decode_control_record
from seawall.model.events import Event
from seawall.model.funding_commands import FundingRecord, decode_funding_record
from seawall.model.ids import CONTROL, FUNDING, IDENTITY, SPOT


class State(Protocol):
    """What every cell's state has."""

    @property
    def sequence(self) -> int: ...

    @property
    def at_ns(self) -> int: ...

    @property
    def epoch(self) -> int: ...


class Record(Protocol):
    """One journal payload, decoded."""

    @property
    def at_ns(self) -> int: ...

    @property
    def command(self) -> Command: ...

    @property
    def command_id(self) -> str: ...

    @property
    def origin(self) -> str: ...


class Commit(Protocol):
    """The core's dispatch; the command is one of the cell's own, which decoding has made sure."""

    def __call__(
        self, state: Any, command: Any, *, sequence: int, at_ns: int, command_id: str = ""
    ) -> list[Event]: ...


S = TypeVar("S", bound=State)


class Cell(Generic[S]):
    """One state machine with the functions that drive it."""

    def __init__(
        self,
        *,
        name: str,
        state: S,
        record: Callable[..., Any],
        decode: Callable[[bytes], Record],
        commit: Commit,
        digest: Callable[[S], str],
        dump: Callable[[S], bytes],
        load: Callable[[bytes], S],
        check: Callable[[S], None],
    ) -> None:
        self.name = name
        self.state = state
        self.decode = decode
        self._record = record
        self._commit = commit
        self._digest = digest
        self._dump = dump
        self._load = load
        self._check = check

    def encode(self, command: Command, at_ns: int, command_id: str = "", origin: str = "") -> bytes:
        """Return a journal payload."""
        return encode_record(
            self._record(at_ns=at_ns, command=command, command_id=command_id, origin=origin)
        )

    def commit(self, record: Record, sequence: int) -> list[Event]:
        """Apply one durable entry; raises InvariantError only."""
        return self._commit(
            self.state,
            record.command,
            sequence=sequence,
            at_ns=record.at_ns,
            command_id=record.command_id,
        )

    def digest(self) -> str:
        return self._digest(self.state)

    def dump(self) -> bytes:
        return self._dump(self.state)

    def load(self, data: bytes) -> None:
        """Replace the state; raises whatever the data deserves, and then changes nothing."""
        self.state = self._load(data)

    def check(self) -> None:
        """Raise InvariantError unless every invariant of the state holds."""
        self._check(self.state)


def spot_cell() -> Cell[SpotState]:
    """Return an empty spot cell."""
    return Cell(
        name=SPOT,
        state=SpotState(),
        record=SpotRecord,
        decode=decode_spot_record,
        commit=commit_spot,
        digest=digest_spot,
        dump=dump_spot,
        load=load_spot,
        check=check_spot,
    )


def identity_cell() -> Cell[IdentityState]:
    """Return an empty identity cell."""
    return Cell(
        name=IDENTITY,
        state=IdentityState(),
        record=IdentityRecord,
        decode=decode_identity_record,
        commit=commit_identity,
        digest=digest_identity,
        dump=dump_identity,
        load=load_identity,
        check=check_identity,
    )


def funding_cell() -> Cell[FundingState]:
    """Return an empty funding cell."""
    return Cell(
        name=FUNDING,
        state=FundingState(),
        record=FundingRecord,
        decode=decode_funding_record,
        commit=commit_funding,
        digest=digest_funding,
        dump=dump_funding,
        load=load_funding,
        check=check_funding,
    )


def control_cell() -> Cell[ControlState]:
    """Return an empty control cell."""
    return Cell(
        name=CONTROL,
        state=ControlState(),
        record=ControlRecord,
        decode=decode_control_record,
        commit=commit_control,
        digest=digest_control,
        dump=dump_control,
        load=load_control,
        check=check_control,
    )


def empty_cell(name: str) -> Cell[Any]:
    """Return an empty cell by its name."""
    return _EMPTY[name]()


_EMPTY: Mapping[str, Callable[[], Cell[Any]]] = {
    IDENTITY: identity_cell,
    FUNDING: funding_cell,
    SPOT: spot_cell,
    CONTROL: control_cell,
}
