"""Recorded histories, replayed: the incidents that one can read in them are told, as docs say."""

from pathlib import Path

import msgspec
import pytest

from seawall.lab.feed_history import Score, score_folder

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cases" / "feeds"


@pytest.fixture(scope="module")
def scores() -> list[Score]:
    return score_folder(CASES)


def test_every_known_outage_is_told(scores: list[Score]) -> None:
    assert [score.missed for score in scores] == [(), (), ()]
    assert sum(len(score.outages) for score in scores) == 8


def test_an_outage_that_was_not_there_is_missed(tmp_path: Path) -> None:
    """Else a history that is always in trouble would pass."""
    (tmp_path / "aws.jsonl.gz").write_bytes((CASES / "aws_events_2019-2023.jsonl.gz").read_bytes())
    invented = {
        "id": "never", "history": "aws", "service": "ec2-eu-central-1",
        "began": "2020-02-02T00:00:00+00:00", "ended": "2020-02-02T06:00:00+00:00",
    }  # fmt: skip
    (tmp_path / "outages.json").write_bytes(msgspec.json.encode([invented]))
    assert score_folder(tmp_path)[0].missed == ("never",)


def test_precision_and_recall_are_as_the_page_says(scores: list[Score]) -> None:
    page = (ROOT / "docs" / "internals" / "feeds.md").read_text("utf-8")
    for score in scores:
        row = (
            f"| {score.history.partition('_')[0]}, sample | {score.records} | {score.looks:,} |"
            f" {score.precision:.1%} | {score.recall:.1%} | {score.unknown} |"
        )
        assert row in page
        assert score.precision > 0.9
        assert score.recall > 0.9
