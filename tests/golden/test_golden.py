"""Every release's golden journals replay to what that release computed, for ever."""

import typing
from pathlib import Path

import pytest
from msgspec import json
from msgspec.inspect import StructType, type_info
from tests.golden.replaying import CELLS, Outcome, read_lines, replay

from seawall.model.commands import IdentityCommand, SpotCommand

FOLDER = Path(__file__).parent
RELEASES = sorted(path.parent for path in FOLDER.glob("*/expected.json"))


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
@pytest.mark.parametrize("cell", CELLS)
def test_the_journal_replays_to_what_it_led_to_then(release: Path, cell: str) -> None:
    expected = json.decode((release / "expected.json").read_bytes(), type=dict[str, Outcome])[cell]
    lines = read_lines(release / f"{cell}.journal")
    assert replay(cell, lines, expected.fields) == expected, (
        "old entries have a new meaning: mend the program; see tests/golden/README.md"
    )


@pytest.mark.parametrize("cell, commands", [("spot", SpotCommand), ("identity", IdentityCommand)])
def test_every_kind_of_command_stands_in_some_golden_journal(cell: str, commands: object) -> None:
    tags = set()
    for command in typing.get_args(commands):
        info = type_info(command)
        assert isinstance(info, StructType)
        tags.add(str(info.tag))
    seen = {
        json.decode(line.payload)["command"]["type"]
        for release in RELEASES
        for line in read_lines(release / f"{cell}.journal")
    }
    assert tags <= seen, "add a golden journal with the release that adds a command"
