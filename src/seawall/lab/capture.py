"""Captures of a real market.  The rule: a capture with a hole or a bent line is refused, by name.

A capture is one or more files, plain or gzipped, of lines `receive_ns json`: a REST depth snapshot
(`lastUpdateId`, `bids`, `asks`) and messages of Binance's streams @depth and @trade; @bookTicker
and other streams are passed over.  Prices and sizes become integers of 10**-8.
"""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final, cast

import msgspec
from msgspec import Struct

from seawall.model.amounts import DecimalPrecisionError, DecimalSyntaxError, parse_decimal

DECIMALS: Final = 8
LINE_BYTES: Final = 4 << 20
"""One line; the longest real one, a snapshot of a thousand levels a side, has 70 kB."""
CAPTURE_EVENTS: Final = 5_000_000
"""Events that one capture may hold; it is kept in memory."""

Levels = tuple[tuple[int, int], ...]
"""(price, size) each; size 0 means the level is gone."""


class CaptureError(Exception):
    """The capture cannot be used; the message says which line of which file, and why."""


class Snapshot(Struct, frozen=True, kw_only=True):
    """The whole book, as far as the exchange showed it."""

    last_update_id: int
    bids: Levels
    asks: Levels


class Diff(Struct, frozen=True, kw_only=True):
    """Levels that changed; sizes are absolute."""

    first_update_id: int
    last_update_id: int
    at_ms: int
    symbol: str
    bids: Levels
    asks: Levels


class Trade(Struct, frozen=True, kw_only=True):
    trade_id: int
    at_ms: int
    symbol: str
    price: int
    size: int
    buyer_is_maker: bool


Event = Diff | Trade


class Capture(Struct, frozen=True, kw_only=True):
    """One market's snapshot and what followed, in the order of the exchange's own time."""

    symbol: str
    snapshot: Snapshot
    events: tuple[Event, ...]

    @property
    def trades(self) -> Iterator[Trade]:
        return (event for event in self.events if isinstance(event, Trade))

    @property
    def diffs(self) -> Iterator[Diff]:
        return (event for event in self.events if isinstance(event, Diff))

    @property
    def start_ms(self) -> int:
        return self.events[0].at_ms

    @property
    def end_ms(self) -> int:
        return self.events[-1].at_ms

    @staticmethod
    def load(files: Sequence[Path]) -> "Capture":
        """Read, check and merge `files`, which follow one another."""
        loader = _Loader()
        for path in files:
            for number, line in enumerate(read_lines(path), start=1):
                try:
                    loader.take(decode_line(line))
                except CaptureError as error:
                    raise CaptureError(f"{path.name}, line {number}: {error}") from error
        return loader.finish()


class _WireSnapshot(Struct):
    last_update_id: int = msgspec.field(name="lastUpdateId")
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class _WireDiff(Struct):
    E: int
    s: str
    U: int
    u: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


class _WireTrade(Struct):
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool


class _WireMessage(Struct):
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


_decode_message = msgspec.json.Decoder(_WireMessage).decode
_decode_snapshot = msgspec.json.Decoder(_WireSnapshot).decode
_decode_diff = msgspec.json.Decoder(_WireDiff).decode
_decode_trade = msgspec.json.Decoder(_WireTrade).decode


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a plain or gzipped file, without their ends; none may be overlong."""
    try:
        with _open(path) as file:
            while line := file.readline(LINE_BYTES + 1):
                if len(line) > LINE_BYTES:
                    raise CaptureError(f"{path.name}: a line is longer than {LINE_BYTES} bytes")
                yield line.rstrip(b"\r\n")
    except (OSError, EOFError, zlib.error) as error:
        raise CaptureError(f"{path.name}: cannot be read: {error}") from error


def decode_line(line: bytes) -> Snapshot | Event | None:
    """Return what the line says; None for a stream that a replay does not need."""
    stamp, space, text = line.partition(b" ")
    if not space or not stamp.isdigit():
        raise CaptureError("a line is `receive_ns json`")
    try:
        message = _decode_message(text)
        if not message.stream:
            return _snapshot(_decode_snapshot(text))
        kind = message.stream.partition("@")[2]
        if kind == "depth" or kind.startswith("depth@"):
            return _diff(_decode_diff(message.data))
        if kind == "trade":
            return _trade(_decode_trade(message.data))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CaptureError(f"not a message of a known form: {error}") from error
    except (DecimalSyntaxError, DecimalPrecisionError) as error:
        raise CaptureError(f"not a plain decimal of {DECIMALS} places: {error}") from error
    return None


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")


def _levels(pairs: list[tuple[str, str]]) -> Levels:
    return tuple(
        (parse_decimal(price, DECIMALS), parse_decimal(size, DECIMALS)) for price, size in pairs
    )


def _snapshot(wire: _WireSnapshot) -> Snapshot:
    return Snapshot(
        last_update_id=wire.last_update_id, bids=_levels(wire.bids), asks=_levels(wire.asks)
    )


def _diff(wire: _WireDiff) -> Diff:
    if wire.u < wire.U:
        raise CaptureError(f"a diff runs backwards: U {wire.U} is above u {wire.u}")
    return Diff(
        first_update_id=wire.U,
        last_update_id=wire.u,
        at_ms=wire.E,
        symbol=wire.s,
        bids=_levels(wire.b),
        asks=_levels(wire.a),
    )


def _trade(wire: _WireTrade) -> Trade:
    trade = Trade(
        trade_id=wire.t,
        at_ms=wire.T,
        symbol=wire.s,
        price=parse_decimal(wire.p, DECIMALS),
        size=parse_decimal(wire.q, DECIMALS),
        buyer_is_maker=wire.m,
    )
    if trade.price == 0 or trade.size == 0:
        raise CaptureError(f"trade {trade.trade_id} has no price or no size")
    return trade


class _Loader:
    """Checks that nothing is missing between one line and the next."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._diffs: list[Diff] = []
        self._trades: list[Trade] = []
        self._symbol = ""

    def take(self, said: Snapshot | Event | None) -> None:
        match said:
            case Snapshot():
                if self._snapshot is not None:
                    raise CaptureError("a capture has one snapshot; this is a second one")
                self._snapshot = said
            case Diff():
                self._of_one_symbol(said.symbol)
                self._follows_diff(said)
                self._diffs.append(said)
            case Trade():
                self._of_one_symbol(said.symbol)
                self._follows_trade(said)
                self._trades.append(said)
            case None:
                pass
        if len(self._diffs) + len(self._trades) > CAPTURE_EVENTS:
            raise CaptureError(f"a capture holds at most {CAPTURE_EVENTS} events")

    def finish(self) -> Capture:
        """Return the capture; diffs that the snapshot already holds are dropped."""
        snapshot = self._snapshot
        if snapshot is None:
            raise CaptureError("the capture holds no depth snapshot, so no book can be built")
        diffs = [diff for diff in self._diffs if diff.last_update_id > snapshot.last_update_id]
        if diffs and diffs[0].first_update_id > snapshot.last_update_id + 1:
            raise CaptureError(
                f"the snapshot ends at update {snapshot.last_update_id}, but the first diff after"
                f" it begins at {diffs[0].first_update_id}"
            )
        # By the exchange's own time; at the same millisecond trades first, since the diff that
        # tells their effect closes its interval with them inside.
        events: list[Event] = sorted(
            [*self._trades, *diffs], key=lambda event: (event.at_ms, isinstance(event, Diff))
        )
        if not events:
            raise CaptureError("the capture holds a snapshot and nothing after it")
        return Capture(symbol=self._symbol, snapshot=snapshot, events=tuple(events))

    def _of_one_symbol(self, symbol: str) -> None:
        self._symbol = self._symbol or symbol
        if symbol != self._symbol:
            raise CaptureError(f"a capture has one market; here are {self._symbol} and {symbol}")

    def _follows_diff(self, diff: Diff) -> None:
        if not self._diffs:
            return
        last = self._diffs[-1]
        if diff.first_update_id != last.last_update_id + 1:
            raise CaptureError(
                f"depth updates are missing: {last.last_update_id} is followed by"
                f" {diff.first_update_id}"
            )
        if diff.at_ms < last.at_ms:
            raise CaptureError(f"diff {diff.first_update_id} is older than the one before")

    def _follows_trade(self, trade: Trade) -> None:
        if not self._trades:
            return
        last = self._trades[-1]
        if trade.trade_id != last.trade_id + 1:
            raise CaptureError(
                f"trades are missing: {last.trade_id} is followed by {trade.trade_id}"
            )
        if trade.at_ms < last.at_ms:
            raise CaptureError(f"trade {trade.trade_id} is older than the one before")
