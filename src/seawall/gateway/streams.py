"""Stream sockets, `/ws` and `/stream`.  The rule: each message gets Binance's answer or its error.

A `StreamSession` is one connection's subscriptions and its answers; it does no I/O but through its
`Socket`.  What cannot be read changes nothing.
"""

import json
import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from seawall.gateway import stream_payloads as payloads
from seawall.gateway.encode import encode_json
from seawall.gateway.past import CannotResumeError
from seawall.gateway.publisher import Publisher
from seawall.gateway.socket_protocol import POLICY_VIOLATION, Socket
from seawall.gateway.status_feed import NAME as STATUS
from seawall.gateway.status_feed import StatusFeed
from seawall.gateway.stream_names import Stream, is_listen_key, parse_stream
from seawall.gateway.stream_payloads import MICROSECOND_NS, MILLISECOND_NS
from seawall.gateway.user_feeds import Feed, UserFeeds
from seawall.model import limits

_METHODS: Final = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_EXPECTED: Final = ", ".join(f"`{method}`" for method in _METHODS)
_ID_TEXT: Final = re.compile(r"[A-Za-z0-9_\-]{1,36}", re.ASCII)
_ID_MAX: Final = (1 << 64) - 1
_ID_MIN: Final = -(1 << 63)

_NO_ID: Final = object()
_CANNOT_RESUME: Final = 4

After = int | dict[str, int] | None
"""The entry after which streams are to go on: one for all, or one for each by name."""


class StreamError(Exception):
    """A control message that is refused: Binance's number and text."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class StreamSession:
    """One connection's subscriptions."""

    def __init__(
        self,
        socket: Socket,
        publisher: Publisher,
        feeds: UserFeeds,
        *,
        combined: bool,
        microseconds: bool,
        now_ns: Callable[[], int],
        status: StatusFeed | None = None,
    ) -> None:
        self._status = status
        self._told_status = False
        self.socket = socket
        self.combined = combined
        self._microseconds = microseconds
        self._unit_ns = MICROSECOND_NS if microseconds else MILLISECOND_NS
        self._publisher = publisher
        self._feeds = feeds
        self._now_ns = now_ns
        self._streams: dict[str, Stream] = {}
        self._listen_keys: dict[str, Feed] = {}

    # Subscriptions

    def open(self, names: Iterable[str], after: int | None = None) -> None:
        """Subscribe to what the URL names; parts that name no stream are passed over.

        (ccxt numbers its connections in the path, and a client's listen key may have run out.)
        Where a stream cannot go on after the entry, the client is told so and sent away.
        """
        names = list(names)
        try:
            self._check([name for name in names if self._is_stream(name)], after)
        except StreamError as error:
            self.socket.send_text(_refusal(error))
            self.socket.close(POLICY_VIOLATION, "Cannot go on from there")
            return
        for name in names:
            if name == STATUS:
                self._add_status()
                continue
            stream = parse_stream(name)
            if stream is not None and self._publisher.knows(stream):
                self._add(stream, _after(after, name))
            elif is_listen_key(name) and not self._add_listen_key(name, _after(after, name)):
                self._tell(
                    name,
                    {
                        "e": "listenKeyExpired",
                        "E": self._now_ns() // self._unit_ns,
                        "listenKey": name,
                    },
                )

    def close(self) -> None:
        """Take back every subscription."""
        for stream in self._streams.values():
            self._publisher.unsubscribe(stream, self.socket)
        for feed in self._listen_keys.values():
            self._feeds.remove(feed)
        if self._told_status and self._status is not None:
            self._status.remove(self.socket)
        self._told_status = False
        self._streams.clear()
        self._listen_keys.clear()

    @property
    def is_misled(self) -> bool:
        """Whether it hears streams that fall silent, and nothing of why."""
        return not self._told_status and bool(self._streams or self._listen_keys)

    def farewell(self) -> bytes:
        """Return what is sent when the exchange stops."""
        event = payloads.server_shutdown(self._now_ns(), self._unit_ns)
        return self._wrapped("!serverShutdown", event)

    def _add_status(self) -> None:
        if self._status is not None and not self._told_status:
            self._told_status = True
            self._status.add(self.socket, combined=self.combined, microseconds=self._microseconds)

    def _is_stream(self, name: str) -> bool:
        stream = parse_stream(name)
        if stream is not None:
            return self._publisher.knows(stream)
        return is_listen_key(name) and self._feeds.owner_of(name) is not None

    def _check(self, names: list[str], after: After) -> None:
        """Raise unless each of these can go on after the entry named for it."""
        for name in names:
            start = _after(after, name)
            if start is None:
                continue
            stream, owner = parse_stream(name), self._feeds.owner_of(name)
            try:
                if stream is not None:
                    self._publisher.check(stream, start)
                elif owner is not None:
                    self._feeds.check(owner, start)
            except CannotResumeError as error:
                raise StreamError(_CANNOT_RESUME, f"Cannot go on: {error}") from None

    def _add(self, stream: Stream, after: int | None = None) -> None:
        if stream.name in self._streams or self._is_full(1):
            return
        self._streams[stream.name] = stream
        self._publisher.subscribe(
            stream,
            self.socket,
            combined=self.combined,
            microseconds=self._microseconds,
            after=after,
        )

    def _add_listen_key(self, name: str, after: int | None = None) -> bool:
        if name in self._listen_keys:
            return True
        user_id = self._feeds.owner_of(name)
        if user_id is None or self._is_full(1):
            return False
        self._listen_keys[name] = self._feeds.add_listen_key(
            user_id,
            name,
            self.socket,
            combined=self.combined,
            microseconds=self._microseconds,
            after=after,
        )
        return True

    def _is_full(self, more: int) -> bool:
        held = len(self._streams) + len(self._listen_keys)
        return held + more > limits.WS_STREAMS_PER_SOCKET

    # Control messages

    def answer(self, text: str | bytes) -> bytes:
        """Take one message in and return what answers it."""
        request_id: object = _NO_ID
        try:
            request = _decode(text)
            request_id = _request_id(request)
            result = self._control(request, text)
        except StreamError as error:
            return _refusal(error, request_id)
        return encode_json({"result": result, "id": request_id})

    def _control(self, request: dict[str, object], text: str | bytes) -> object:
        method = request.get("method")
        length = len(text)
        if "method" not in request:
            raise StreamError(
                2, f"Invalid request: missing field `method` at line 1 column {length}"
            )
        params = request.get("params", [])
        if not isinstance(params, list):
            raise StreamError(2, "Invalid request: params must be an array")
        match method:
            case "SUBSCRIBE":
                self._subscribe(_names(params), _start(request))
            case "UNSUBSCRIBE":
                self._unsubscribe(_names(params))
            case "LIST_SUBSCRIPTIONS":
                return self._names()
            case "SET_PROPERTY":
                self._set_property(params)
            case "GET_PROPERTY":
                return self._get_property(params)
            case _:
                raise StreamError(
                    2,
                    f"Invalid request: unknown variant `{str(method)[:64]}`, expected one of"
                    f" {_EXPECTED} at line 1 column {length}",
                )
        return None

    def _names(self) -> list[str]:
        status = [STATUS] if self._told_status else []
        return [*self._streams, *self._listen_keys, *status]

    def _subscribe(self, names: list[str], after: After = None) -> None:
        """Subscribe to all or, if one of the names is no stream or cannot go on, to none."""
        streams: list[Stream] = []
        listen_keys: list[str] = []
        for name in names:
            stream = parse_stream(name)
            if stream is not None and self._publisher.knows(stream):
                streams.append(stream)
            elif is_listen_key(name) and self._feeds.owner_of(name) is not None:
                listen_keys.append(name)
            elif name != STATUS:
                raise StreamError(2, "Invalid request: invalid stream")
        new = {stream.name for stream in streams} - self._streams.keys()
        new |= set(listen_keys) - self._listen_keys.keys()
        if self._is_full(len(new)):
            raise StreamError(
                2,
                "Invalid request: too many subscriptions, at most"
                f" {limits.WS_STREAMS_PER_SOCKET} streams per connection",
            )
        self._check([stream.name for stream in streams] + listen_keys, after)
        for stream in streams:
            self._add(stream, _after(after, stream.name))
        for name in listen_keys:
            self._add_listen_key(name, _after(after, name))
        if STATUS in names:
            self._add_status()

    def _unsubscribe(self, names: list[str]) -> None:
        for name in names:
            if parse_stream(name) is None and not is_listen_key(name) and name != STATUS:
                raise StreamError(2, "Invalid request: invalid stream")
        for name in names:
            if name == STATUS and self._told_status and self._status is not None:
                self._told_status = False
                self._status.remove(self.socket)
            stream = self._streams.pop(name, None)
            if stream is not None:
                self._publisher.unsubscribe(stream, self.socket)
            feed = self._listen_keys.pop(name, None)
            if feed is not None:
                self._feeds.remove(feed)

    def _set_property(self, params: list[object]) -> None:
        _property_name(params, allowed=2)
        value = params[1] if len(params) > 1 else None
        if not isinstance(value, bool):
            raise StreamError(1, "Invalid value type: expected Boolean")
        if value == self.combined:
            return
        names = self._names()
        self.close()
        self.combined = value
        self.open(names)

    def _get_property(self, params: list[object]) -> bool:
        _property_name(params, allowed=1)
        return self.combined

    def _tell(self, name: str, event: dict[str, object]) -> None:
        self.socket.send_text(self._wrapped(name, event))

    def _wrapped(self, name: str, event: dict[str, object]) -> bytes:
        return encode_json({"stream": name, "data": event} if self.combined else event)


def awaited(text: str | bytes) -> tuple[list[str], int]:
    """Return what a SUBSCRIBE may have to wait for: its listen keys, the latest entry it names."""
    try:
        request = _decode(text)
        params = request.get("params", [])
        if request.get("method") != "SUBSCRIBE" or not isinstance(params, list):
            return [], 0
        start = _start(request)
    except StreamError:
        return [], 0
    keys = [name for name in params if isinstance(name, str) and is_listen_key(name)]
    starts = start.values() if isinstance(start, dict) else [start or 0]
    return keys, max(starts, default=0)


def _start(request: dict[str, object]) -> After:
    """Return the request's `resumeFrom`: an entry's sequence, or one for each stream by name."""
    value = request.get("resumeFrom")
    if value is None or _is_sequence(value):
        return value  # type: ignore[return-value]  # an int, as was just looked at
    if isinstance(value, dict) and all(_is_sequence(each) for each in value.values()):
        return value
    raise StreamError(2, "Invalid request: resumeFrom must be a sequence, or an object of them")


def _is_sequence(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _ID_MAX


def _after(after: After, name: str) -> int | None:
    return after.get(name) if isinstance(after, dict) else after


def _refusal(error: StreamError, request_id: object = _NO_ID) -> bytes:
    refused: dict[str, object] = {"error": {"code": error.code, "msg": error.message}}
    if request_id is not _NO_ID:
        refused["id"] = request_id
    return encode_json(refused)


def _decode(text: str | bytes) -> dict[str, object]:
    try:
        request = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        line, column = _where(text)
        raise StreamError(
            3, f"Invalid JSON: expected value at line {line} column {column}"
        ) from None
    if not isinstance(request, dict):
        raise StreamError(2, "Invalid request: expected an object")
    return request


def _where(text: str | bytes) -> tuple[int, int]:
    """Return the line and column of the first thing that is not JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.lineno, error.colno
    except (UnicodeDecodeError, RecursionError):
        pass
    return 1, 1


def _request_id(request: dict[str, object]) -> object:
    """Return the id; an integer of 64 bits, a short text or null."""
    request_id = request.get("id", _NO_ID)
    if request_id is None:
        return None
    if isinstance(request_id, int) and not isinstance(request_id, bool):
        if _ID_MIN <= request_id <= _ID_MAX:
            return request_id
    elif isinstance(request_id, str) and _ID_TEXT.fullmatch(request_id) is not None:
        return request_id
    raise StreamError(2, "Invalid request: request ID must be an unsigned integer")


def _names(params: list[object]) -> list[str]:
    names: list[str] = []
    for param in params:
        if not isinstance(param, str):
            raise StreamError(2, "Invalid request: stream name must be a string")
        names.append(param)
    if len(names) > limits.WS_STREAMS_PER_SOCKET:
        raise StreamError(2, "Invalid request: too many parameters")
    return names


def _property_name(params: list[object], *, allowed: int) -> None:
    if len(params) > allowed:
        raise StreamError(2, "Invalid request: too many parameters")
    if not params or not isinstance(params[0], str):
        raise StreamError(2, "Invalid request: property name must be a string")
    if params[0] != "combined":
        raise StreamError(0, "Unknown property")
