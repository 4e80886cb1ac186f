"""What streams have just told.  The rule: who comes back goes on, or learns that it cannot.

A gateway of a cluster keeps the latest entries of the spot cell: their events, and the messages
that they meant to users.  The journal's sequence is the same on every node, so a client that lost
one node goes on at any other.  Kept are the messages of users who have a listen key, wherever it
was made, or a subscription here.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from seawall.gateway.encode import encode_json
from seawall.gateway.user_stream import Message
from seawall.model import limits
from seawall.model.events import Event, LevelChanged, Traded
from seawall.node.node import Node

SEQUENCE: Final = "seq"
"""The entry that a message is of; Binance's clients have no such field and pass over it."""
MORE: Final = "more"
"""How many messages of the same entry follow on the same stream."""

_NONE: Final[list[Event]] = []
_LOOK_ENTRIES: Final = 1_024
"""How often, in entries, it is looked who left."""
_TIMES: Final = {
    "executionReport": ("E", "T", "O", "W", "D"),
    "outboundAccountPosition": ("E", "u"),
    "balanceUpdate": ("E", "T"),
    "listStatus": ("E", "T"),
}
"""The times in each user's message."""
_US_OF_MS: Final = 1_000

_decode = msgspec.json.Decoder(dict[str, object]).decode


class CannotResumeError(Exception):
    """What came after the entry is not known here; the message says what to do."""


class Entry(NamedTuple):
    """One entry, as far as streams go."""

    sequence: int
    at_ns: int
    events: list[Event]
    """Trades and changed levels."""
    messages: list[tuple[int, bytes]]
    """Users and their messages, encoded with microseconds."""


class Past:
    """The latest entries of the spot cell."""

    def __init__(self, node: Node, entries_max: int = limits.RESUME_ENTRIES) -> None:
        self._node = node
        self._entries: deque[Entry] = deque()
        self._entries_max = entries_max
        self._events = 0
        self._bytes = 0
        self.since: int = node.spot.sequence
        """Everything after this entry is here."""
        self.users: dict[int, int] = {}
        """Whose messages are kept, and after which entry they are complete."""
        self._left: dict[int, int] = {}
        """Who has neither key nor subscription any more, since which entry."""
        for key in node.identity.listen_keys.values():
            self.keep(key.user_id)

    def keep(self, user_id: int) -> None:
        """Keep the user's messages from now on."""
        self._left.pop(user_id, None)
        self.users.setdefault(user_id, self._node.spot.sequence)

    def leave(self, user_id: int) -> None:
        """Forget the user once everything they were told is forgotten anyway."""
        if user_id in self.users:
            self._left[user_id] = self._node.spot.sequence

    def add(
        self, sequence: int, at_ns: int, events: list[Event], messages: list[tuple[int, bytes]]
    ) -> None:
        """Take in the next entry."""
        told: list[Event] = [event for event in events if isinstance(event, (Traded, LevelChanged))]
        entry = Entry(sequence, at_ns, told or _NONE, messages)
        self._entries.append(entry)
        self._events += len(told)
        self._bytes += sum(len(payload) for _, payload in messages)
        while (
            len(self._entries) > self._entries_max
            or self._events > limits.RESUME_EVENTS
            or self._bytes > limits.RESUME_BYTES
        ):
            self._forget()

    def check(self, after: int, user_id: int = 0) -> None:
        """Raise unless everything after the entry is here, of the user too if one is named."""
        known = self._node.spot.sequence
        if after > known:
            raise CannotResumeError(
                f"this node knows entries up to {known} only; try again, or another node"
            )
        since = max(self.since, self.users.get(user_id, known)) if user_id else self.since
        if after < since:
            raise CannotResumeError(
                f"this node remembers what came after entry {since}, not after {after}: take a"
                " snapshot over REST and go on after its X-Seawall-Sequence"
            )

    def after(self, sequence: int) -> Iterator[Entry]:
        """Yield the entries after this one."""
        held = len(self._entries)
        # The latest are asked for most: they are found from the end.
        first = held
        while first and self._entries[first - 1].sequence > sequence:
            first -= 1
        for number in range(first, held):
            yield self._entries[number]

    def messages(self, user_id: int, after: int, *, microseconds: bool) -> Iterator[bytes]:
        """Yield what the user was told since, encoded."""
        for entry in self.after(after):
            for owner, payload in entry.messages:
                if owner == user_id:
                    yield payload if microseconds else encode_json(in_ms(_decode(payload)))

    def _forget(self) -> None:
        entry = self._entries.popleft()
        self._events -= len(entry.events)
        self._bytes -= sum(len(payload) for _, payload in entry.messages)
        self.since = entry.sequence
        if entry.sequence % _LOOK_ENTRIES == 0:
            for user_id in [each for each, left in self._left.items() if left <= self.since]:
                del self._left[user_id], self.users[user_id]


def in_ms(message: Message) -> Message:
    """Return a user's message with its times in milliseconds instead of microseconds."""
    shown = dict(message)
    for name in _TIMES.get(str(message["e"]), ()):
        at = shown.get(name)
        if isinstance(at, int):
            shown[name] = at // _US_OF_MS
    return shown


def numbered(sequence: int, messages: list[tuple[int, Message]]) -> list[tuple[int, Message]]:
    """Add to an entry's messages which entry it is, and how many follow for the same user."""
    following: dict[int, int] = {}
    for user_id, message in reversed(messages):
        message[SEQUENCE] = sequence
        message[MORE] = following.get(user_id, 0)
        following[user_id] = following.get(user_id, 0) + 1
    return messages
