"""What one look of a probe found.  The rule: "it is ill" and "I cannot tell" are never confused.

Three makers for three cases: `answered` (it spoke, and said how it is), `failed` (no fit answer
came; one such look proves little), `unable` (the trouble is here: health UNKNOWN).
"""

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import Final, Protocol

from msgspec import Struct

from seawall.model.watch_facts import Health

DETAIL_CHARS: Final = 200
UNABLE: Final = frozenset(
    {
        errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE,
        errno.ENOBUFS, errno.ENOMEM, errno.EPERM, errno.EACCES,
    }
)  # fmt: skip
"""What the own machine says: no network, no address, no room."""
TURNED_AWAY: Final = frozenset(
    {errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE}
)
"""What the other machine says: it is there, and whoever should answer is not."""


class CellLook(Struct, frozen=True, kw_only=True):
    """What a node said of one cell."""

    cell: str
    good: bool
    """Whether it knows a leader and the present."""
    detail: str


class Outcome(Struct, frozen=True, kw_only=True):
    """One look."""

    health: Health
    detail: str
    sure: bool = True
    """Whether one look is enough.  Silence, a refused connection, a busy server are not."""
    reached: bool = True
    """Whether anything came back from its machine."""
    latency_ns: int = 0
    cells: tuple[CellLook, ...] = ()
    offset_ns: tuple[int, int] | None = None
    """The clock there minus the clock here lies between these two."""


class Probe(Protocol):
    """One question, asked again and again."""

    async def look(self) -> Outcome:
        """Ask once.  It may raise and may hang: whoever calls bears both."""

    async def close(self) -> None:
        """Leave nothing open."""


def answered(health: Health, detail: str, *, latency_ns: int = 0) -> Outcome:
    """Return what it said of itself."""
    return Outcome(health=health, detail=shortened(detail), latency_ns=latency_ns)


def failed(detail: str, *, reached: bool) -> Outcome:
    """Return that no fit answer came."""
    return Outcome(health=Health.DOWN, detail=shortened(detail), sure=False, reached=reached)


def unable(detail: str) -> Outcome:
    """Return that this watcher cannot tell."""
    return Outcome(health=Health.UNKNOWN, detail=shortened(detail), reached=False)


def shortened(text: str) -> str:
    """Return it in one line of printable text: a stranger's words may be anything."""
    line = " ".join(text.split())
    shown = "".join(char if char.isprintable() else "?" for char in line)
    return shown if len(shown) <= DETAIL_CHARS else shown[: DETAIL_CHARS - 1] + "…"


def of_error(error: BaseException) -> Outcome:
    """Return what an error of the network means."""
    for each in _causes(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return answered(Health.DOWN, f"its certificate is not valid: {each.verify_message}")
        if isinstance(each, ssl.SSLError):
            # Before the others: its error numbers are OpenSSL's, and look like theirs.
            return _of_tls(each)
        if isinstance(each, socket.gaierror):
            return unable("its name cannot be resolved here")
        if isinstance(each, OSError) and each.errno in TURNED_AWAY:
            refused = each.errno == errno.ECONNREFUSED
            return failed(
                "it refuses the connection" if refused else "it broke the connection", reached=True
            )
        if isinstance(each, OSError) and each.errno in UNABLE:
            return unable(f"this machine cannot ask: {each.strerror or each}")
    if isinstance(error, EOFError):
        return failed("it broke the connection", reached=True)
    if isinstance(error, TimeoutError):
        return failed("no answer in time", reached=False)
    # The text of a library's error may hold an address with a secret in it; its name does not.
    return failed(f"no answer: {type(error).__name__}", reached=False)


def _of_tls(error: ssl.SSLError) -> Outcome:
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return failed("it broke the connection", reached=True)
    return answered(Health.DOWN, f"it speaks no TLS that we understand: {error.reason}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what led to it, groups too."""
    waiting, seen = [error], 0
    while waiting and seen < 50:
        each = waiting.pop(0)
        seen += 1
        yield each
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions
        waiting += [cause for cause in (each.__cause__, each.__context__) if cause is not None]
