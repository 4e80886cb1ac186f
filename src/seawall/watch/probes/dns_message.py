"""Questions to name servers, and their answers, as bytes (RFC 1035).  The rule: bounded, no I/O.

Only what a watch needs: the addresses of one name, and whether the answer is to this question.
"""

import ipaddress
import struct
from typing import Final

from msgspec import Struct

TYPE_A: Final = 1
TYPE_AAAA: Final = 28
CLASS_IN: Final = 1
NAME_CHARS: Final = 253
LABEL_CHARS: Final = 63
RECORDS_MOST: Final = 100
WANTS_RECURSION: Final = 0x0100
IS_ANSWER: Final = 0x8000
CUT_SHORT: Final = 0x0200
RCODE: Final = 0x000F
NAMES: Final = {0: "", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_HEAD: Final = struct.Struct("!6H")
_RECORD: Final = struct.Struct("!HHIH")


class MessageError(ValueError):
    """These bytes are no answer to the question."""


class DnsAnswer(Struct, frozen=True, kw_only=True):
    error: str
    """Empty, or the answer's code."""
    addresses: tuple[str, ...]


def encode(number: int, name: str, kind: int) -> bytes:
    """Return a question; ValueError for what is no name."""
    try:
        labels = [label.encode("idna") for label in name.rstrip(".").split(".")]
    except UnicodeError:
        raise ValueError(f"{name!r} is no name") from None
    if len(name) > NAME_CHARS or any(not 0 < len(label) <= LABEL_CHARS for label in labels):
        raise ValueError(f"{name!r} is no name")
    asked = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return (
        _HEAD.pack(number, WANTS_RECURSION, 1, 0, 0, 0) + asked + struct.pack("!HH", kind, CLASS_IN)
    )


def decode(question: bytes, message: bytes) -> DnsAnswer:
    """Return what the message answers to the question, or raise MessageError."""
    try:
        number, flags, _, answers, _, _ = _HEAD.unpack_from(message)
        asked = question[_HEAD.size :]
        if number != _HEAD.unpack_from(question)[0] or not flags & IS_ANSWER:
            raise MessageError("it is no answer to this question")
        # Servers may keep the question's letters as they like.
        if message[_HEAD.size : _HEAD.size + len(asked)].lower() != asked.lower():
            raise MessageError("it answers another question")
        code = flags & RCODE
        if code:
            return DnsAnswer(error=NAMES.get(code, f"code {code}"), addresses=())
        return DnsAnswer(error="", addresses=_addresses(message, _HEAD.size + len(asked), answers))
    except (struct.error, IndexError):
        raise MessageError("it ends too early") from None


def _addresses(message: bytes, at: int, count: int) -> tuple[str, ...]:
    found = []
    for _ in range(min(count, RECORDS_MOST)):
        at = _after_name(message, at)
        kind, of_class, _, size = _RECORD.unpack_from(message, at)
        at += _RECORD.size
        data = message[at : at + size]
        if len(data) < size:
            raise MessageError("it ends too early")
        if of_class == CLASS_IN and (kind, size) in {(TYPE_A, 4), (TYPE_AAAA, 16)}:
            found.append(str(ipaddress.ip_address(data)))
        at += size
    return tuple(found)


def _after_name(message: bytes, at: int) -> int:
    """Return where a name ends; what a pointer points to does not matter here."""
    while True:
        size = message[at]
        if size >= 0xC0:
            return at + 2
        if size == 0:
            return at + 1
        at += 1 + size
