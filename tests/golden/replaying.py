"""Replays a golden journal.  The rule: it says what came out, and expects nothing."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from tests.core.describing import describe, fields_of

from seawall.core.control.invariants import check_control
from seawall.core.control.machine import commit_control
from seawall.core.control.state import (
    ControlState,
    digest_control,
    dump_control,
    load_control,
)
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
from seawall.journal.port import GENESIS_HASH, chain_hash
from seawall.model.commands import decode_identity_record, decode_spot_record
from seawall.model.control_commands import decode_control_record
from seawall.model.events import Event
from seawall.model.funding_commands import decode_funding_record

DIGEST_EVERY = 250
CELLS = ("identity", "funding", "spot", "control")
Fields = dict[str, list[str]]


class Outcome(Struct, frozen=True, kw_only=True):
    """What one cell's journal leads to."""

    entries: int
    chain_hash: str
    digests: dict[str, str]
    """By sequence."""
    events: str
    """SHA-256 of all events, one per line."""
    fields: Fields
    """Which fields of each event are told."""


class Line(Struct, frozen=True):
    """One entry of a journal's text."""

    sequence: int
    epoch: int
    payload: bytes


def read_lines(path: Path) -> list[Line]:
    found = []
    for line in path.read_bytes().splitlines():
        sequence, epoch, payload = line.split(b" ", 2)
        found.append(Line(int(sequence), int(epoch), payload))
    return found


class Cell:
    """One cell's state, whichever it is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.spot = SpotState()
        self.identity = IdentityState()
        self.funding = FundingState()
        self.control = ControlState()

    def commit(self, payload: bytes, sequence: int) -> list[Event]:
        if self.name == "spot":
            spot = decode_spot_record(payload)
            return commit_spot(
                self.spot,
                spot.command,
                sequence=sequence,
                at_ns=spot.at_ns,
                command_id=spot.command_id,
            )
        if self.name == "funding":
            funding = decode_funding_record(payload)
            return commit_funding(
                self.funding,
                funding.command,
                sequence=sequence,
                at_ns=funding.at_ns,
                command_id=funding.command_id,
            )
        if self.name == "control":
            control = decode_control_record(payload)
            return commit_control(
                self.control,
                control.command,
                sequence=sequence,
                at_ns=control.at_ns,
                command_id=control.command_id,
            )
        identity = decode_identity_record(payload)
        return commit_identity(
            self.identity,
            identity.command,
            sequence=sequence,
            at_ns=identity.at_ns,
            command_id=identity.command_id,
        )

    def digest(self) -> str:
        """Return the state's digest, once it was checked and has been through a snapshot."""
        if self.name == "spot":
            check_spot(self.spot)
            self.spot = load_spot(dump_spot(self.spot))
            return digest_spot(self.spot)
        if self.name == "funding":
            check_funding(self.funding)
            self.funding = load_funding(dump_funding(self.funding))
            return digest_funding(self.funding)
        if self.name == "control":
            check_control(self.control)
            self.control = load_control(dump_control(self.control))
            return digest_control(self.control)
        check_identity(self.identity)
        self.identity = load_identity(dump_identity(self.identity))
        return digest_identity(self.identity)


def _lasting_fields(event: Event) -> list[str]:
    """Return all fields but those written for people, whose words may be mended."""
    return [name for name in fields_of(event) if not name.endswith("detail")]


def replay(
    name: str, lines: Iterable[Line], fields: Mapping[str, Sequence[str]] | None = None
) -> Outcome:
    """Return what the lines lead to; without `fields`, all of each event's are told."""
    cell = Cell(name)
    told: Fields = {key: list(value) for key, value in (fields or {}).items()}
    digests: dict[str, str] = {}
    events = hashlib.sha256()
    head = GENESIS_HASH
    sequence = 0
    for line in lines:
        sequence = line.sequence
        head = chain_hash(head, line.sequence, line.epoch, line.payload)
        for event in cell.commit(line.payload, line.sequence):
            if fields is None:
                told.setdefault(type(event).__name__, _lasting_fields(event))
            events.update(describe(event, told).encode() + b"\n")
        if sequence % DIGEST_EVERY == 0:
            digests[str(sequence)] = cell.digest()
    digests[str(sequence)] = cell.digest()
    return Outcome(
        entries=sequence,
        chain_hash=head.hex(),
        digests=digests,
        events=events.hexdigest(),
        fields=dict(sorted(told.items())),
    )
