"""What nodes say to each other.  The rule: nothing here is state; the journal is.

A lost message costs time, never an entry: whoever forwarded a command sees in the journal whether
it was written.
"""

from typing import Final

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

PROTOCOL: Final = 1
"""Raised when a message changes its meaning; nodes of different protocols do not talk."""


class Hello(Struct, frozen=True, kw_only=True, tag="hello"):
    """Who dials; the first message of a connection."""

    protocol: int
    cluster: str
    node: str


class Ping(Struct, frozen=True, kw_only=True, tag="ping"):
    number: int
    now_ns: int
    """The sender's clock."""


class Pong(Struct, frozen=True, kw_only=True, tag="pong"):
    number: int


class Forward(Struct, frozen=True, kw_only=True, tag="forward"):
    """A command for the cell's leader."""

    cell: str
    epoch: int
    """Of the leader that is meant; another, or the same at a later time, does not take it."""
    record: bytes
    """As the cell encodes it, with its origin; its time is set by the leader."""
    trace: str = ""
    """The trace that it belongs to, as W3C's `traceparent`; empty if none."""


class Refused(Struct, frozen=True, kw_only=True, tag="refused"):
    """The leader did not take a forwarded command; it surely was not executed."""

    cell: str
    epoch: int
    """As it stood in the Forward."""
    origin: str
    kind: str
    """`not_leading`, `overloaded`, `invalid` or `unavailable`."""
    text: str


class TakeOver(Struct, frozen=True, kw_only=True, tag="take_over"):
    """The leader gives the lead up at this sequence; the receiver shall take it."""

    cell: str
    epoch: int
    """Of the leader that gives up."""
    sequence: int


class Leading(Struct, frozen=True, kw_only=True, tag="leading"):
    """The sender leads; for those who have not seen its `Lead`, since they were restarted."""

    cell: str
    epoch: int


class AskLead(Struct, frozen=True, kw_only=True, tag="ask_lead"):
    """The sender is preferred, has followed without trouble, and wants the lead."""

    cell: str


class AskDigest(Struct, frozen=True, kw_only=True, tag="ask_digest"):
    """Take the digest of the cell's state after this entry, which is to come, and tell it."""

    cell: str
    sequence: int


class Digest(Struct, frozen=True, kw_only=True, tag="digest"):
    """The sender's replica of the cell after the entry that was asked for."""

    cell: str
    sequence: int
    digest: str


Message = (
    Hello | Ping | Pong | Forward | Refused | TakeOver | Leading | AskLead | AskDigest | Digest
)

encode_message = Encoder().encode
decode_message = Decoder(Message).decode
