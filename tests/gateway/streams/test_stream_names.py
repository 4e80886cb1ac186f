"""Which names are streams."""

import pytest

from seawall.gateway.stream_names import (
    INTERVALS,
    Stream,
    StreamKind,
    is_listen_key,
    parse_stream,
)


def _shape(stream: Stream | None) -> tuple[object, ...] | None:
    if stream is None:
        return None
    return (
        stream.kind.value,
        stream.symbol,
        stream.interval,
        stream.offset_minutes,
        stream.levels,
        stream.speed_ms,
    )


@pytest.mark.parametrize(("name", "expected"), [
    ("btcusdt@trade",             ("trade", "BTCUSDT", "", 0, 0, 0)),
    ("btcusdt@aggTrade",          ("aggTrade", "BTCUSDT", "", 0, 0, 0)),
    ("btcusdt@bookTicker",        ("bookTicker", "BTCUSDT", "", 0, 0, 0)),
    ("!bookTicker",               ("bookTicker", "", "", 0, 0, 0)),
    ("btcusdt@depth",             ("depth", "BTCUSDT", "", 0, 0, 1000)),
    ("btcusdt@depth@100ms",       ("depth", "BTCUSDT", "", 0, 0, 100)),
    ("btcusdt@depth@1000ms",      ("depth", "BTCUSDT", "", 0, 0, 1000)),
    ("btcusdt@depth5",            ("partialDepth", "BTCUSDT", "", 0, 5, 1000)),
    ("btcusdt@depth20@100ms",     ("partialDepth", "BTCUSDT", "", 0, 20, 100)),
    ("btcusdt@kline_1s",          ("kline", "BTCUSDT", "1s", 0, 0, 1000)),
    ("btcusdt@kline_1M",          ("kline", "BTCUSDT", "1M", 0, 0, 2000)),
    ("btcusdt@kline_1d@+08:00",   ("kline", "BTCUSDT", "1d", 480, 0, 2000)),
    ("btcusdt@miniTicker",        ("miniTicker", "BTCUSDT", "", 0, 0, 1000)),
    ("btcusdt@ticker",            ("ticker", "BTCUSDT", "", 0, 0, 1000)),
    ("btcusdt@ticker_4h",         ("windowTicker", "BTCUSDT", "4h", 0, 0, 1000)),
    ("btcusdt@avgPrice",          ("avgPrice", "BTCUSDT", "", 0, 0, 1000)),
    ("!miniTicker@arr",           ("miniTicker", "", "", 0, 0, 1000)),
    ("!ticker@arr",               ("ticker", "", "", 0, 0, 1000)),
    ("!ticker_1h@arr",            ("windowTicker", "", "1h", 0, 0, 1000)),
    ("BTCUSDT@trade", None), ("btcusdt", None), ("btcusdt@", None), ("@trade", None), ("", None),
    ("btcusdt@trades", None), ("btcusdt@kline_2m", None), ("btcusdt@kline_", None),
    ("btcusdt@kline_1m@+09:00", None), ("btcusdt@depth7", None), ("btcusdt@depth@250ms", None),
    ("btcusdt@depth5@", None), ("btcusdt@depth@", None), ("btcusdt@kline_1m@", None),
    ("btcusdt@ticker_2h", None), ("!ticker_2h@arr", None), ("!ticker", None), ("!", None),
    ("btc usdt@trade", None), ("\uff42tcusdt@trade", None), ("btcusdt@trade\n", None), ("0", None),
])  # fmt: skip
def test_names(name: str, expected: tuple[object, ...] | None) -> None:
    assert _shape(parse_stream(name)) == expected


def test_every_interval_has_a_stream() -> None:
    for interval in INTERVALS:
        stream = parse_stream(f"ethbtc@kline_{interval}")
        assert stream is not None
        assert stream.kind is StreamKind.KLINE


def test_a_listen_key_is_no_stream_and_no_number_is_a_listen_key() -> None:
    key = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"
    assert is_listen_key(key)
    assert parse_stream(key) is None
    assert not is_listen_key("0")
