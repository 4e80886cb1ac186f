"""Captures: what is whole is read, what has a hole is refused by name."""

import gzip
from pathlib import Path

import pytest

from seawall.lab.capture import Capture, CaptureError, Diff, Trade, decode_line
from seawall.lab.expected import ExpectedBook, expected_candles
from seawall.lab.sample import SMALL_CAPTURE

SNAPSHOT = '{"lastUpdateId":10,"bids":[["100.00000000","1.50000000"]],"asks":[["101.00","2"]]}'


def diff(first: int, last: int, at_ms: int, bids: str = "[]", symbol: str = "BTCUSDT") -> str:
    return (
        f'{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{at_ms},"s":"{symbol}",'
        f'"U":{first},"u":{last},"b":{bids},"a":[]}}}}'
    )


def trade(trade_id: int, at_ms: int, price: str = "100.5", size: str = "1") -> str:
    return (
        f'{{"stream":"btcusdt@trade","data":{{"e":"trade","s":"BTCUSDT","t":{trade_id},'
        f'"p":"{price}","q":"{size}","T":{at_ms},"m":true}}}}'
    )


def write(folder: Path, *messages: str) -> Path:
    path = folder / "capture"
    path.write_text("".join(f"{number} {message}\n" for number, message in enumerate(messages)))
    return path


def test_events_are_merged_by_time_and_diffs_inside_the_snapshot_dropped(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        diff(8, 10, 1000),
        trade(1, 1150),
        SNAPSHOT,
        diff(11, 12, 1100, '[["99.5","3"],["100.00000000","0.00000000"]]'),
        '{"stream":"btcusdt@bookTicker","data":{}}',
        diff(13, 13, 1200),
        trade(2, 1200),
    )
    capture = Capture.load([path])
    assert [(type(event).__name__, event.at_ms) for event in capture.events] == [
        ("Diff", 1100),
        ("Trade", 1150),
        ("Trade", 1200),
        ("Diff", 1200),
    ]
    book = ExpectedBook(capture.snapshot)
    for one in capture.diffs:
        book.apply(one)
    assert book.bids == {9_950_000_000: 300_000_000}
    assert book.best() == (9_950_000_000, 10_100_000_000)


@pytest.mark.parametrize(
    "messages,words",
    [
        ([SNAPSHOT, diff(11, 12, 1), diff(14, 15, 2)], "depth updates are missing: 12"),
        ([SNAPSHOT, diff(12, 13, 1)], "the first diff after it begins at 12"),
        ([SNAPSHOT, diff(11, 12, 2), diff(13, 14, 1)], "older than the one before"),
        ([SNAPSHOT, trade(4, 1), trade(6, 2)], "trades are missing: 4 is followed by 6"),
        ([SNAPSHOT, trade(4, 2), trade(5, 1)], "older than the one before"),
        ([SNAPSHOT, trade(4, 1, size="0")], "no price or no size"),
        ([SNAPSHOT, trade(4, 1, price="1e3")], "not a plain decimal"),
        ([SNAPSHOT, trade(4, 1, price="1.123456789")], "not a plain decimal"),
        ([SNAPSHOT, SNAPSHOT], "a second one"),
        ([SNAPSHOT, trade(4, 1), diff(11, 11, 2, symbol="LTCUSDT")], "here are BTCUSDT and LTC"),
        ([diff(11, 12, 1)], "no depth snapshot"),
        ([SNAPSHOT], "nothing after it"),
        ([SNAPSHOT, '{"stream":"btcusdt@trade","data":{"t":"x"}}'], "line 2: not a message"),
        (["{"], "line 1: not a message"),
        ([SNAPSHOT, diff(12, 11, 1)], "runs backwards"),
    ],
)
def test_a_damaged_capture_is_refused_by_name(
    tmp_path: Path, messages: list[str], words: str
) -> None:
    with pytest.raises(CaptureError, match=words):
        Capture.load([write(tmp_path, *messages)])


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    torn = tmp_path / "torn.gz"
    torn.write_bytes(gzip.compress(SMALL_CAPTURE.read_bytes())[:5000])
    for path in (torn, tmp_path / "missing"):
        with pytest.raises(CaptureError, match=path.name):
            Capture.load([path])


@pytest.mark.parametrize("line", [b"", b"1", b"x {}", b"1 \xff", b" {}", b"1 []", b"1 null"])
def test_lines_of_another_form_are_refused(line: bytes) -> None:
    with pytest.raises(CaptureError):
        decode_line(line)


def test_the_capture_that_ships_is_whole() -> None:
    capture = Capture.load([SMALL_CAPTURE])
    diffs = [event for event in capture.events if isinstance(event, Diff)]
    trades = [event for event in capture.events if isinstance(event, Trade)]
    assert (capture.symbol, len(diffs), len(trades)) == ("BTCUSDT", 1247, 5574)
    book = ExpectedBook(capture.snapshot)
    for one in diffs:
        book.apply(one)
        bid, ask = book.best()
        assert bid < ask


def test_expected_candles_add_up() -> None:
    trades = list(Capture.load([SMALL_CAPTURE]).trades)
    by_second = expected_candles(trades, 1_000)
    by_minute = expected_candles(trades, 60_000)
    assert sum(candle.volume for candle in by_second.values()) == sum(one.size for one in trades)
    for open_ms, minute in by_minute.items():
        inside = [candle for at, candle in by_second.items() if at // 60_000 * 60_000 == open_ms]
        assert minute.high == max(candle.high for candle in inside)
        assert minute.open == inside[0].open
        assert minute.quote_volume == sum(candle.quote_volume for candle in inside)
        assert minute.low <= minute.quote_volume // minute.volume <= minute.high
