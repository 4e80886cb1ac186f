"""How a notice leaves.  The rule: a port tries once and says what became of it."""

from typing import Protocol

from msgspec import Struct

from seawall.status.notices import Notice


class Context(Struct, frozen=True, kw_only=True):
    """What every message tells beside the notice."""

    exchange: str
    url: str
    sequence: int


class NotSentError(Exception):
    """It did not arrive, and may arrive later."""

    def __init__(self, why: str, *, wait_s: float = 0.0, refused: bool = False) -> None:
        super().__init__(why)
        self.wait_s = wait_s
        """How long the other side asked us to wait; 0 if it did not."""
        self.refused = refused
        """Whether the other side will hardly take this message ever."""


class Port(Protocol):
    """One way out, to one or more recipients."""

    name: str
    recipients: tuple[str, ...]

    async def send(self, notice: Notice, recipient: str, context: Context, /) -> None:
        """Send once; raise NotSentError if it did not arrive, or may not have."""
