"""Replay: through sequencer and journal, the exchange comes out equal to the capture."""

import gzip
from pathlib import Path

import pytest
from msgspec import structs

from seawall.lab.capture import Capture, CaptureError
from seawall.lab.comparisons import trade_differences
from seawall.lab.replay import ReplayError, replay
from seawall.lab.sample import SMALL_CAPTURE
from seawall.node.clock import ManualClock
from seawall.node.node import Node, NodeSettings


@pytest.fixture
def excerpt(tmp_path: Path) -> Path:
    """Return the first seconds of the small capture: its snapshot and a thousand lines."""
    out = tmp_path / "excerpt"
    with gzip.open(SMALL_CAPTURE) as lines:
        out.write_bytes(b"".join(line for _, line in zip(range(1_000), lines, strict=False)))
    return out


async def test_equal_to_the_capture_and_still_there_afterwards(
    excerpt: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    told: list[tuple[int, int]] = []
    report = await replay(
        [excerpt], data, progress=lambda _what, done, total: told.append((done, total))
    )
    assert report.differences == ()
    assert report.equal
    capture = Capture.load([excerpt])
    assert report.trades == sum(1 for _ in capture.trades) > 0
    assert report.levels > 2_000
    assert report.candles > 10
    assert told[-1] == (len(capture.events), len(capture.events))

    clock = ManualClock(capture.end_ms * 1_000_000)
    node = await Node.open(NodeSettings(data=data, ticks=False), clock=clock)
    try:
        assert node.spot.sequence == report.entries + 1  # the new lead
        last = await node.views.trades("BTCUSDT", None, 1)
        assert last[0].trade_id == report.trades
    finally:
        await node.close()


async def test_a_market_that_is_there_already_is_left_alone(excerpt: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = await replay([excerpt], data)
    with pytest.raises(ReplayError, match="already holds a market BTCUSDT"):
        await replay([excerpt], data)
    assert first.equal


def test_trades_are_compared_in_all_that_they_say() -> None:
    trades = list(Capture.load([SMALL_CAPTURE]).trades)[:5]
    assert trade_differences(trades, trades) == []
    changes: list[dict[str, object]] = [
        {"price": 1},
        {"size": 1},
        {"at_ms": 1},
        {"buyer_is_maker": not trades[2].buyer_is_maker},
    ]
    for change in changes:
        altered = [*trades[:2], structs.replace(trades[2], **change), *trades[3:]]
        told = trade_differences(altered, trades)
        assert len(told) == 1
        assert told[0].startswith("trade 3: captured ")
    assert len(trade_differences(trades[:3], trades)) == 2


async def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="nothing-here"):
        await replay([tmp_path / "nothing-here"], tmp_path / "data")
