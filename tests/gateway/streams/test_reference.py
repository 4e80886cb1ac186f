"""docs/reference/streams.md says what the code does."""

import re
from pathlib import Path

from seawall.gateway import user_feeds, user_stream
from seawall.gateway.stream_names import INTERVALS, WINDOWS_MINUTES, StreamKind, parse_stream
from seawall.gateway.ws_api import SESSION_METHODS
from seawall.model import limits

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reference" / "streams.md").read_text("utf-8")


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_every_name_of_the_page_is_a_stream_and_every_kind_is_on_it() -> None:
    kinds = set()
    for line in re.findall(r"^\| (`.*)", section("Names"), re.MULTILINE):
        for name in re.findall(r"`((?:<symbol>|!)[^`]*)`", line.partition(" | ")[0]):
            for interval in (INTERVALS[0], INTERVALS[-1]):
                made = (
                    name.replace("<symbol>", "btcusdt")
                    .replace("<interval>", interval)
                    .replace("<window>", next(iter(WINDOWS_MINUTES)))
                )
                stream = parse_stream(made)
                assert stream is not None, made
                kinds.add(stream.kind)
    assert kinds == set(StreamKind)
    assert " ".join(INTERVALS) in PAGE
    assert " ".join(WINDOWS_MINUTES) in PAGE


def test_every_event_is_on_the_page() -> None:
    source = Path(user_stream.__file__).read_text() + Path(user_feeds.__file__).read_text()
    events = set(re.findall(r'"e": "(\w+)"', source)) | {"serverShutdown"}
    assert set(re.findall(r"^\| `(\w+)`", section("User data"), re.MULTILINE)) == events


def test_every_session_method_is_on_the_page() -> None:
    for method in SESSION_METHODS:
        assert f"`{method}`" in section("The WebSocket API")


def test_limits_are_the_codes() -> None:
    shown = section("Limits")
    assert f"| {limits.WS_STREAMS_PER_SOCKET} |" in shown
    assert f"| {limits.WS_SOCKETS:,}; " in shown
    assert f"| {limits.WS_MESSAGE_BYTES >> 10} KiB; " in shown
    assert f"| {limits.WS_QUEUE_BYTES >> 20} MiB; " in shown
    assert f"at most {limits.WS_PENDING_REQUESTS};" in section("The WebSocket API")
