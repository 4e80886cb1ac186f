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
from seawall.gateway.publisher import Publisher
from seawall.gateway.socket_protocol import Socket
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
    ) -> None:
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

    def open(self, names: Iterable[str]) -> None:
        """Subscribe to what the URL names; parts that name no stream are passed over.

        (ccxt numbers its connections in the path, and a client's listen key may have run out.)
        """
        for name in names:
            stream = parse_stream(name)
            if stream is not None and self._publisher.knows(stream):
                self._add(stream)
            elif is_listen_key(name) and not self._add_listen_key(name):
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
        self._streams.clear()
        self._listen_keys.clear()

    def farewell(self) -> bytes:
        """Return what is sent when the exchange stops."""
        event = payloads.server_shutdown(self._now_ns(), self._unit_ns)
        return self._wrapped("!serverShutdown", event)

    def _add(self, stream: Stream) -> None:
        if stream.name in self._streams or self._is_full(1):
            return
        self._streams[stream.name] = stream
        self._publisher.subscribe(
            stream, self.socket, combined=self.combined, microseconds=self._microseconds
        )

    def _add_listen_key(self, name: str) -> bool:
        if name in self._listen_keys:
            return True
        user_id = self._feeds.owner_of(name)
        if user_id is None or self._is_full(1):
            return False
        self._listen_keys[name] = self._feeds.add_listen_key(
            user_id, name, self.socket, combined=self.combined, microseconds=self._microseconds
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
            refused: dict[str, object] = {"error": {"code": error.code, "msg": error.message}}
            if request_id is not _NO_ID:
                refused["id"] = request_id
            return encode_json(refused)
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
                self._subscribe(_names(params))
            case "UNSUBSCRIBE":
                self._unsubscribe(_names(params))
            case "LIST_SUBSCRIPTIONS":
                return [*self._streams, *self._listen_keys]
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

    def _subscribe(self, names: list[str]) -> None:
        """Subscribe to all or, if one of the names is no stream, to none."""
        streams: list[Stream] = []
        listen_keys: list[str] = []
        for name in names:
            stream = parse_stream(name)
            if stream is not None and self._publisher.knows(stream):
                streams.append(stream)
            elif is_listen_key(name) and self._feeds.owner_of(name) is not None:
                listen_keys.append(name)
            else:
                raise StreamError(2, "Invalid request: invalid stream")
        new = {stream.name for stream in streams} - self._streams.keys()
        new |= set(listen_keys) - self._listen_keys.keys()
        if self._is_full(len(new)):
            raise StreamError(
                2,
                "Invalid request: too many subscriptions, at most"
                f" {limits.WS_STREAMS_PER_SOCKET} streams per connection",
            )
        for stream in streams:
            self._add(stream)
        for name in listen_keys:
            self._add_listen_key(name)

    def _unsubscribe(self, names: list[str]) -> None:
        for name in names:
            if parse_stream(name) is None and not is_listen_key(name):
                raise StreamError(2, "Invalid request: invalid stream")
        for name in names:
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
        names = [*self._streams, *self._listen_keys]
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
