"""A drill's report: the verdict is the promises', and nothing in it is executed."""

from pathlib import Path

import msgspec

from seawall.lab.drills.base import Drill, DrillOptions, DrillReport, Promise, Span, Timeline
from seawall.lab.progress import Progress
from seawall.lab.report import LEFT, WIDTH, plot, render_html


def report(*, held: bool) -> DrillReport:
    return DrillReport(
        drill="test",
        title="A <script>alert(1)</script> drill",
        about="Nothing was hurt.",
        started_at="2024-08-08T00:00:00+00:00",
        seed=7,
        machine="this one",
        numbers={"lost": 0 if held else 3, "recovery_s": {"max": 1.5}},
        promises=(
            Promise(name="One", held=True, evidence="it did"),
            Promise(name="Two", held=held, evidence="3 < 4 & so on"),
        ),
        timeline=Timeline(
            duration_s=10.0,
            per_second=(1, 5, 0, 2),
            spans=(Span(from_s=2.0, to_s=2.0, kind="down"),),
        ),
    )


def test_the_verdict_is_that_of_the_promises() -> None:
    assert "Every promise held." in render_html(report(held=True))
    broken = render_html(report(held=False))
    assert "1 of 2 promises broken." in broken
    assert "Every promise held." not in broken


def test_text_is_text() -> None:
    page = render_html(report(held=True))
    assert "<script" not in page
    assert "3 &lt; 4 &amp; so on" in page


def test_the_plot_stays_in_its_frame_and_shows_moments() -> None:
    drawn = plot(report(held=True).timeline)
    assert drawn.spans[0].width >= 1
    assert LEFT <= drawn.spans[0].x <= WIDTH
    assert drawn.area.startswith("M52")
    assert [label.text for label in drawn.counts] == ["0", "2", "5"]
    empty = plot(Timeline(duration_s=0.0))
    assert empty.area == ""


async def test_numbers_stand_at_the_top_of_the_json(tmp_path: Path) -> None:
    async def run(_options: DrillOptions, _out: Path, _progress: Progress) -> DrillReport:
        return report(held=False)

    drill = Drill(name="test", summary="", run=run)
    done = await drill.perform(DrillOptions(), tmp_path / "deep" / "out")
    written = msgspec.json.decode((tmp_path / "deep" / "out" / "report.json").read_bytes())
    assert written["held"] is False
    assert done.held is False
    assert written["lost"] == 3
    assert written["recovery_s"] == {"max": 1.5}
    assert written["timeline"]["per_second"] == [1, 5, 0, 2]
