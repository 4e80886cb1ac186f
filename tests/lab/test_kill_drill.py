"""The kill drill, at its shortest: a real exchange, really killed."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from seawall.lab.drills import DRILLS, DrillOptions


class Loads(HTMLParser):
    """Collects what a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [tag for name, _ in attrs if name in {"src", "href"}]
        if tag in {"script", "link", "iframe"}:
            self.found.append(tag)


@pytest.mark.slow
async def test_two_rounds_lose_nothing_and_say_so(tmp_path: Path) -> None:
    report = await DRILLS["kill"].perform(DrillOptions(rounds=2, seed=11), tmp_path)
    broken = [promise for promise in report.promises if not promise.held]
    assert broken == []

    written = json.loads((tmp_path / "report.json").read_bytes())
    assert written["drill"] == "kill"
    assert written["held"] is True
    assert (written["rounds"], written["lost"], written["duplicated"]) == (2, 0, 0)
    assert written["kills"] >= 2
    assert written["acknowledged"] > 20
    assert written["transfers"] > 0
    assert (written["transfers_lost"], written["transfers_doubled"]) == (0, 0)
    assert 0 < written["recovery_s"]["median"] <= written["recovery_s"]["max"]
    assert len(written["timeline"]["marks"]) == 2

    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Every promise held." in page
    loads = Loads()
    loads.feed(page)
    assert loads.found == []
    assert not (tmp_path / "data").exists()
