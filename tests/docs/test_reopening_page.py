"""The page on reopening tells the numbers of the runbook that comes with Seawall."""

from pathlib import Path

from seawall.core.control.runbook import read_runbook
from seawall.model.runbook import Runbook

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operating" / "reopening.md").read_text("utf-8")
UNITS = {"s": 1, "min": 60, "h": 3_600}


def seconds(text: str) -> int:
    number, unit = text.split()
    return int(number) * UNITS[unit]


def shipped() -> Runbook:
    path = ROOT / "src" / "seawall" / "cli" / "runbooks" / "default.toml"
    return read_runbook(path.read_text("utf-8"))


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading row, headings first."""
    lines = PAGE[PAGE.index(heading) :].splitlines()
    table = [line for line in lines[: lines.index("")] if not line.startswith("|---")]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table]


def test_the_lengths_of_stages_are_those_of_the_runbook() -> None:
    head, *body = rows("| closed for at least")
    stages = {terms.stage.value: terms for terms in shipped().market.stage}
    assert len(body) >= 3
    for outage, *lengths in body:
        for stage, told in zip(head[1:], lengths, strict=True):
            lasts_s = stages[stage].at_least_s
            for at_least_s, so_long_s in stages[stage].by_outage:
                if seconds(outage) >= at_least_s:
                    lasts_s = so_long_s
            assert seconds(told) == lasts_s, f"{stage} after {outage}"


def test_every_length_of_the_runbook_has_its_row() -> None:
    told = {seconds(row[0]) for row in rows("| closed for at least")[1:]}
    for terms in shipped().market.stage:
        assert {outage for outage, _ in terms.by_outage} <= told


def test_the_stages_of_withdrawals_are_those_of_the_runbook() -> None:
    told = [(row[0], "two people" in row[2]) for row in rows("| stage | leaves")[1:]]
    assert told == [
        (terms.stage.value, terms.approvals == 2) for terms in shipped().withdrawal.stage
    ]


def test_the_forecast_is_that_of_the_runbook() -> None:
    surge = shipped().surge
    assert f"factor {surge.factor}, hours {surge.hours}" in PAGE
    assert (
        f"35 + 2 x {surge.factor} x {surge.hours} = {35 + 2 * surge.factor * surge.hours} BTC"
        in PAGE
    )
