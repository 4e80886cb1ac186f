"""What is fuzzed, and what must hold.  The rule: a target raises only if something is wrong.

Each takes bytes.  The programs beside this file feed them with atheris; the tests feed them with a
few chosen inputs and with Hypothesis.
"""

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal, localcontext
from typing import Final

import msgspec

from seawall.core.identity import commit_identity
from seawall.core.identity_state import IdentityState
from seawall.core.invariants import check_identity, check_spot
from seawall.core.machine import commit_spot
from seawall.core.spot_state import SpotState
from seawall.gateway import ws_api
from seawall.gateway.errors import ApiError
from seawall.gateway.params import Params, merge_pairs
from seawall.gateway.stream_names import parse_stream
from seawall.journal.port import frame, unframe
from seawall.lab.bench.own import listing_commands
from seawall.lab.capture import CaptureError, Diff, Snapshot, Trade, decode_line
from seawall.lib.invariants import invariant
from seawall.model.amounts import (
    DecimalPrecisionError,
    DecimalSyntaxError,
    format_decimal,
    parse_decimal,
)
from seawall.model.commands import (
    Command,
    Lead,
    decode_identity_record,
    decode_spot_record,
    encode_record,
)
from seawall.model.trading import Side

DIGITS: Final = 200
"""Precision in which decimals are compared: more than any accepted input has."""


def decimals(data: bytes) -> None:
    """Check that a decimal is read exactly, or refused as one of two kinds."""
    if not data:
        return
    places, text = data[0] % 20, data[1:].decode("utf-8", "surrogateescape")
    try:
        atoms = parse_decimal(text, places)
    except (DecimalSyntaxError, DecimalPrecisionError):
        return
    with localcontext() as context:
        context.prec = DIGITS
        invariant(Decimal(text) == Decimal(atoms).scaleb(-places), "a decimal is read exactly")
    invariant(atoms >= 0, "an unsigned decimal is not negative")
    again = parse_decimal(format_decimal(atoms, places), places)
    invariant(again == atoms, "what is written is read as it was")


def params(data: bytes) -> None:
    """Check that a request's parameters are read or refused with an answer for the client."""
    query, _, body = data.partition(b"\n")
    try:
        values = merge_pairs(query, body)
    except ApiError:
        return
    read = Params(values)
    for name in values:
        for get in _getters(read):
            try:
                get(name)
            except ApiError as error:
                _is_answer(error)
    invariant(all(isinstance(value, str) for value in values.values()), "parameters are text")


def _is_answer(error: ApiError) -> None:
    code = error.body()["code"]
    invariant(isinstance(code, int) and code < 0, "a refusal has a code that clients know")


def _getters(read: Params) -> tuple[Callable[[str], object], ...]:
    return (
        read.text,
        read.symbol,
        read.symbols,
        read.integer,
        read.flag,
        read.client_id,
        read.moment_ns,
        lambda name: read.decimal(name, 8),
        lambda name: read.choice(name, Side),
        lambda name: read.one_of(name, ("A", "B")),
    )


def socket_request(data: bytes) -> None:
    """Check that a WebSocket API request is taken apart or refused with an answer."""
    text: bytes | str = data
    with suppress(UnicodeDecodeError):
        text = data.decode()
    try:
        # The decoding inside a session; a session itself needs a socket and a node.
        envelope = ws_api._read(text)  # noqa: SLF001 decoding alone
        ws_api._id(envelope)  # noqa: SLF001 decoding alone
        ws_api._method(envelope)  # noqa: SLF001 decoding alone
        ws_api._command_id(envelope)  # noqa: SLF001 decoding alone
        values = ws_api._values(envelope)  # noqa: SLF001 decoding alone
    except ApiError as error:
        _is_answer(error)
        return
    invariant(all(isinstance(value, str) for value in values.values()), "parameters are text")
    ws_api.signature_payload(values)


def stream_name(data: bytes) -> None:
    """Check that a stream's name is understood or not, and nothing else."""
    name = data.decode("utf-8", "surrogateescape")
    found = parse_stream(name)
    invariant(found is None or found.name == name, "a stream keeps the name it was asked by")


def capture_line(data: bytes) -> None:
    """Check that a capture's line is read or refused by name."""
    try:
        said = decode_line(data)
    except CaptureError:
        return
    match said:
        case Trade():
            invariant(said.price > 0 and said.size > 0, "a trade has a price and a size")
        case Diff():
            invariant(said.first_update_id <= said.last_update_id, "a diff runs forwards")
        case Snapshot() | None:
            pass


def journal_frame(data: bytes) -> None:
    """Check that bytes which unframe are the bytes that framing writes."""
    with suppress(ValueError):
        invariant(frame(unframe(data)) == data, "a frame has one reading")


class _Cells:
    """States that live through all inputs, as an exchange does."""

    def __init__(self) -> None:
        self.spot = SpotState()
        self.identity = IdentityState()
        for command in listing_commands():
            sequence = self.spot.sequence + 1
            commit_spot(self.spot, command, sequence=sequence, at_ns=sequence)


_cells: Final = _Cells()


def record(data: bytes) -> None:
    """Check that whatever can be decoded can be applied, and leaves a state that holds.

    What decodes is what a journal may hold: the core has an answer to all of it.
    """
    try:
        spot = decode_spot_record(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    else:
        if _is_stale_lead(spot.command, _cells.spot.epoch):
            return
        invariant(decode_spot_record(encode_record(spot)) == spot, "a record is kept as it was")
        state = _cells.spot
        commit_spot(
            state,
            spot.command,
            sequence=state.sequence + 1,
            at_ns=max(state.at_ns + 1, min(spot.at_ns, 1 << 62)),
            command_id=spot.command_id,
        )
        check_spot(state)
    try:
        one = decode_identity_record(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    invariant(decode_identity_record(encode_record(one)) == one, "a record is kept as it was")
    people = _cells.identity
    if _is_stale_lead(one.command, people.epoch):
        return
    commit_identity(
        people,
        one.command,
        sequence=people.sequence + 1,
        at_ns=max(people.at_ns + 1, min(one.at_ns, 1 << 62)),
        command_id=one.command_id,
    )
    check_identity(people)


def _is_stale_lead(command: Command, epoch: int) -> bool:
    """Whether the journal itself would have refused it: its epochs only rise."""
    return isinstance(command, Lead) and command.epoch <= epoch


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "decimals": decimals,
    "params": params,
    "socket_request": socket_request,
    "stream_name": stream_name,
    "capture_line": capture_line,
    "journal_frame": journal_frame,
    "record": record,
}
