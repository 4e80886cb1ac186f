"""A drill's report as one HTML file.  The rule: it loads nothing and runs nothing.

Text, inline CSS and one inline SVG: it opens from a mail attachment, years later, offline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from msgspec import Struct

if TYPE_CHECKING:
    from seawall.lab.drills.base import DrillReport, Timeline

WIDTH: Final = 960
HEIGHT: Final = 220
LEFT: Final = 52
TOP: Final = 14
BOTTOM: Final = 26
_TICKS: Final = 8
_ROUND_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


class Box(Struct, frozen=True, kw_only=True):
    x: float
    width: float
    kind: str
    text: str


class Label(Struct, frozen=True, kw_only=True):
    at: float
    text: str


class Curve(Struct, frozen=True, kw_only=True):
    name: str
    path: str


class Plot(Struct, frozen=True, kw_only=True):
    """Everything the template draws, in pixels."""

    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    top: int = TOP
    floor: int = HEIGHT - BOTTOM
    right: int = WIDTH - 8
    area: str
    lines: tuple[Curve, ...]
    spans: tuple[Box, ...]
    marks: tuple[Box, ...]
    times: tuple[Label, ...]
    counts: tuple[Label, ...]
    counted: str


def render_html(report: DrillReport) -> str:
    """Return the whole page."""
    environment = Environment(
        loader=PackageLoader("seawall.lab"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("drill.html.j2")
    return template.render(report=report, plot=plot(report.timeline))


def plot(timeline: Timeline) -> Plot:
    """Return the drawing of what was acknowledged when, and what happened meanwhile."""
    duration_s = max(timeline.duration_s, 1.0)
    peak = max((*timeline.per_second, 1))
    across = (WIDTH - 8 - LEFT) / duration_s
    floor = HEIGHT - BOTTOM
    up = (floor - TOP) / peak

    def x(at_s: float) -> float:
        return round(LEFT + min(max(at_s, 0.0), duration_s) * across, 1)

    return Plot(
        area=_area(
            [
                (x(second), x(second + 1), round(floor - count * up, 1))
                for second, count in enumerate(timeline.per_second)
            ],
            floor,
        ),
        lines=tuple(
            Curve(
                name=series.name,
                path=_line(
                    [
                        (x(second + 0.5), round(floor - count * up, 1))
                        for second, count in enumerate(series.per_second)
                    ]
                ),
            )
            for series in timeline.series
        ),
        spans=tuple(
            Box(
                x=x(span.from_s),
                # A moment must stay visible on a long axis.
                width=max(1.0, round(x(span.to_s) - x(span.from_s), 1)),
                kind=span.kind,
                text=span.text or span.kind,
            )
            for span in timeline.spans
        ),
        marks=tuple(
            Box(x=x(mark.at_s), width=0, kind=mark.kind, text=f"{mark.at_s:.2f} s: {mark.text}")
            for mark in timeline.marks
        ),
        times=tuple(Label(at=x(at_s), text=_clock(at_s)) for at_s in _times(duration_s)),
        counts=tuple(
            Label(at=round(floor - count * up, 1), text=f"{count:,}")
            for count in sorted({0, peak // 2, peak})
        ),
        counted=timeline.counted,
    )


def _area(steps: list[tuple[float, float, float]], floor: int) -> str:
    if not steps:
        return ""
    path = [f"M{steps[0][0]} {floor}"]
    for left, right, top in steps:
        path.append(f"L{left} {top}L{right} {top}")
    path.append(f"L{steps[-1][1]} {floor}Z")
    return "".join(path)


def _line(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{across} {down}" for across, down in points) if points else ""


def _times(duration_s: float) -> list[int]:
    step = next((each for each in _ROUND_S if duration_s / each <= _TICKS), _ROUND_S[-1])
    return list(range(0, int(duration_s) + 1, step))


def _clock(at_s: int) -> str:
    return f"{at_s} s" if at_s < 120 else f"{at_s // 60}:{at_s % 60:02d}"
