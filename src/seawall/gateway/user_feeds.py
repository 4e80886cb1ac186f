"""Who listens to whose account.  The rule: a user nobody listens to costs nothing.

A feed is one subscription of one socket to one user: by listen key on a stream socket, or by
subscription id on the WebSocket API.  Keys that end, end their feeds.
"""

from collections.abc import Callable
from typing import Final

from seawall.gateway.encode import encode_json
from seawall.gateway.metrics import Metrics
from seawall.gateway.past import CannotResumeError, Past, in_ms, numbered
from seawall.gateway.socket_protocol import Socket, text_frame
from seawall.gateway.stream_payloads import MICROSECOND_NS, MILLISECOND_NS
from seawall.gateway.user_stream import Message, Translator
from seawall.model.commands import CloseListenKey, Command
from seawall.model.events import ApiKeyDeleted, Event, ListenKeyClosed, ListenKeyOpened
from seawall.node.node import Node

_UNITS_NS: Final = (MILLISECOND_NS, MICROSECOND_NS)


class Feed:
    """One socket's subscription to one user's events."""

    __slots__ = (
        "api_key", "listen_key", "microseconds", "on_end", "prefix", "socket", "suffix", "user_id",
    )  # fmt: skip

    def __init__(
        self,
        *,
        user_id: int,
        socket: Socket,
        prefix: bytes,
        suffix: bytes,
        microseconds: bool,
        listen_key: str = "",
        api_key: str = "",
        on_end: Callable[["Feed"], None] | None = None,
    ) -> None:
        self.user_id = user_id
        self.socket = socket
        self.prefix = prefix
        self.suffix = suffix
        self.microseconds = microseconds
        self.listen_key = listen_key
        self.api_key = api_key
        self.on_end = on_end
        """Called when the exchange ends the feed."""

    def send(self, payload: bytes) -> None:
        self.socket.send_frame(text_frame(self.prefix + payload + self.suffix))


class UserFeeds:
    """All feeds of one gateway."""

    def __init__(self, node: Node, metrics: Metrics, past: Past | None = None) -> None:
        self._node = node
        self._metrics = metrics
        self._past = past
        """What users were told; None where it is not kept."""
        self._by_user: dict[int, dict[Feed, None]] = {}
        self._listened: tuple[dict[int, int], dict[int, int]] = ({}, {})
        """By unit of time, how many feeds each user has in it."""

    def __len__(self) -> int:
        return sum(len(feeds) for feeds in self._by_user.values())

    def owner_of(self, listen_key: str) -> int | None:
        """Return the user of a listen key in force."""
        found = self._node.identity.listen_keys.get(listen_key)
        return None if found is None else found.user_id

    def check(self, user_id: int, after: int) -> None:
        """Raise CannotResumeError unless a feed of the user can go on after the entry."""
        if self._past is None:
            raise CannotResumeError(
                "this exchange is one node, and does not remember what it told: take a snapshot"
            )
        self._past.check(after, user_id)

    def add(self, feed: Feed, after: int | None = None) -> None:
        """Begin to tell; first all that came after an entry, if one is named and was checked."""
        if self._past is not None:
            self._past.keep(feed.user_id)
            if after is not None:
                kept = self._past.messages(feed.user_id, after, microseconds=feed.microseconds)
                for payload in kept:
                    feed.send(payload)
        feeds = self._by_user.setdefault(feed.user_id, {})
        if feed not in feeds:
            feeds[feed] = None
            listened = self._listened[feed.microseconds]
            listened[feed.user_id] = listened.get(feed.user_id, 0) + 1

    def add_listen_key(
        self,
        user_id: int,
        listen_key: str,
        socket: Socket,
        *,
        combined: bool,
        microseconds: bool,
        after: int | None = None,
    ) -> Feed:
        prefix = b'{"stream":"' + listen_key.encode() + b'","data":' if combined else b""
        feed = Feed(
            user_id=user_id,
            socket=socket,
            prefix=prefix,
            suffix=b"}" if combined else b"",
            microseconds=microseconds,
            listen_key=listen_key,
        )
        self.add(feed, after)
        return feed

    def remove(self, feed: Feed) -> None:
        feeds = self._by_user.get(feed.user_id)
        if feeds is None or feed not in feeds:
            return
        del feeds[feed]
        if not feeds:
            del self._by_user[feed.user_id]
            if self._past is not None and not self._has_listen_key(feed.user_id):
                self._past.leave(feed.user_id)
        listened = self._listened[feed.microseconds]
        listened[feed.user_id] -= 1
        if not listened[feed.user_id]:
            del listened[feed.user_id]

    def on_spot_entry(
        self, sequence: int, at_ns: int, command: Command, events: list[Event]
    ) -> None:
        """Send each user what the entry means to them, encoded once per unit of time."""
        if self._past is not None:
            self._tell_and_keep(self._past, sequence, at_ns, command, events)
            return
        if not self._by_user:
            return
        for microseconds, wanted in enumerate(self._listened):
            if not wanted:
                continue
            translator = Translator(
                self._node.spot,
                wanted=wanted,
                sequence=sequence,
                at_ns=at_ns,
                unit_ns=_UNITS_NS[microseconds],
            )
            for user_id, message in translator.translate(command, events):
                self._send(user_id, message, microseconds=bool(microseconds))

    def _tell_and_keep(
        self, past: Past, sequence: int, at_ns: int, command: Command, events: list[Event]
    ) -> None:
        """Translate once for all who may ask for it again, and send it to who listens now."""
        messages: list[tuple[int, Message]] = []
        if past.users:
            translator = Translator(
                self._node.spot,
                wanted=past.users,
                sequence=sequence,
                at_ns=at_ns,
                unit_ns=MICROSECOND_NS,
            )
            messages = numbered(sequence, translator.translate(command, events))
        kept = [(user_id, encode_json(message)) for user_id, message in messages]
        past.add(sequence, at_ns, events, kept)
        in_milliseconds, in_microseconds = self._listened
        for (user_id, message), (_, payload) in zip(messages, kept, strict=True):
            if user_id in in_microseconds:
                self._send_payload(user_id, payload, microseconds=True)
            if user_id in in_milliseconds:
                self._send(user_id, in_ms(message), microseconds=False)

    def _has_listen_key(self, user_id: int) -> bool:
        user = self._node.identity.users.get(user_id)
        return user is not None and user.listen_key in self._node.identity.listen_keys

    def on_identity_entry(self, at_ns: int, command: Command, events: list[Event]) -> None:
        """End the feeds of listen keys that ran out and of API keys that were deleted."""
        for event in events:
            if isinstance(event, ListenKeyOpened):
                if self._past is not None:
                    self._past.keep(event.user_id)
            elif isinstance(event, ListenKeyClosed):
                by_owner = isinstance(command, CloseListenKey)
                self._end_listen_key(event, at_ns, told=not by_owner)
            elif isinstance(event, ApiKeyDeleted):
                for feed in list(self._by_user.get(event.user_id, ())):
                    if feed.api_key == event.api_key:
                        self.end(feed, at_ns)

    def end(self, feed: Feed, at_ns: int) -> None:
        """End a feed of the WebSocket API and say so."""
        unit_ns = _UNITS_NS[feed.microseconds]
        feed.send(encode_json({"e": "eventStreamTerminated", "E": at_ns // unit_ns}))
        self.remove(feed)
        if feed.on_end is not None:
            feed.on_end(feed)

    def _end_listen_key(self, event: ListenKeyClosed, at_ns: int, *, told: bool) -> None:
        for feed in list(self._by_user.get(event.user_id, ())):
            if feed.listen_key != event.listen_key:
                continue
            if told:
                message = {
                    "e": "listenKeyExpired",
                    "E": at_ns // _UNITS_NS[feed.microseconds],
                    "listenKey": event.listen_key,
                }
                feed.send(encode_json(message))
            self.remove(feed)
        if self._past is not None and event.user_id not in self._by_user:
            self._past.leave(event.user_id)

    def _send(self, user_id: int, message: Message, *, microseconds: bool) -> None:
        self._send_payload(user_id, encode_json(message), microseconds=microseconds)

    def _send_payload(self, user_id: int, payload: bytes, *, microseconds: bool) -> None:
        self._metrics.stream_messages += 1
        for feed in self._by_user.get(user_id, ()):
            if feed.microseconds == microseconds:
                feed.send(payload)
