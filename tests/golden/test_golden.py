"""Every release's golden journals replay to what that release computed, for ever."""

import typing
from pathlib import Path

import pytest
from msgspec import json
from msgspec.inspect import StructType, type_info
from tests.golden.replaying import CELLS, Outcome, read_lines, replay

from seawall.model.commands import IdentityCommand, SpotCommand
from seawall.model.control_commands import ControlCommand
from seawall.model.funding_commands import FundingCommand

FOLDER = Path(__file__).parent
RELEASES = sorted(path.parent for path in FOLDER.glob("*/expected.json"))


JOURNALS = sorted(
    (path.parent, path.stem) for cell in CELLS for path in FOLDER.glob(f"*/{cell}.journal")
)


@pytest.mark.parametrize(
    ("release", "cell"), JOURNALS, ids=lambda part: getattr(part, "name", part)
)
def test_the_journal_replays_to_what_it_led_to_then(release: Path, cell: str) -> None:
    expected = json.decode((release / "expected.json").read_bytes(), type=dict[str, Outcome])[cell]
    lines = read_lines(release / f"{cell}.journal")
    assert replay(cell, lines, expected.fields) == expected, (
        "old entries have a new meaning: mend the program; see tests/golden/README.md"
    )


def test_each_release_has_a_journal_of_every_cell_that_it_had() -> None:
    assert RELEASES
    for release in RELEASES:
        cells = {cell for at, cell in JOURNALS if at == release}
        assert cells == set(json.decode((release / "expected.json").read_bytes()))
        missing = {"0.1.0": {"funding", "control"}, "0.2.0": {"control"}, "0.3.0": {"control"}}
        assert cells == set(CELLS) - missing.get(release.name, set())


@pytest.mark.parametrize(
    ("cell", "commands"),
    [
        ("spot", SpotCommand),
        ("identity", IdentityCommand),
        ("funding", FundingCommand),
        ("control", ControlCommand),
    ],
)
def test_every_kind_of_command_stands_in_some_golden_journal(cell: str, commands: object) -> None:
    tags = set()
    for command in typing.get_args(commands):
        info = type_info(command)
        assert isinstance(info, StructType)
        tags.add(str(info.tag))
    seen = {
        json.decode(line.payload)["command"]["type"]
        for release, name in JOURNALS
        if name == cell
        for line in read_lines(release / f"{cell}.journal")
    }
    assert tags <= seen, "add a golden journal with the release that adds a command"
