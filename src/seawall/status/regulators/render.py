"""Drafts as JSON and as a page for printing.  The rule: both say what is missing and unread.

The page needs no script and nothing from elsewhere.
"""

from functools import lru_cache
from typing import Any, Final

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from seawall.status.moments import iso
from seawall.status.regulators.classify import Classification
from seawall.status.regulators.clocks import Timer
from seawall.status.regulators.conditions import Criterion
from seawall.status.regulators.drafts import Draft, Field
from seawall.status.regulators.thresholds import span

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


def render_json(found: Draft) -> bytes:
    """Return a draft: `report` as the template nests it, and beside it all that people must see."""
    content = {
        "seawallDraft": found.version,
        "kind": found.kind,
        "incident": found.incident,
        "made": iso(found.made_ns),
        "template": found.template,
        "note": found.classification.note,
        "report": _nested(found.fields),
        "missing": found.missing,
        "notes": found.notes,
        "classification": _classification(found.classification),
        "timers": [_timer(each) for each in found.timers],
    }
    return msgspec.json.format(_ENCODER.encode(content), indent=2) + b"\n"


def render_html(found: Draft) -> str:
    """Return a draft as one printable page."""
    return _template().render(
        draft=found,
        verdict=found.classification,
        moment=_moment,
        span=span,
        shown=_shown,
    )


def _nested(fields: tuple[Field, ...]) -> dict[str, Any]:
    report: dict[str, Any] = {}
    for each in fields:
        if each.empty:
            continue
        *parents, name = each.path.split(".")
        place = report
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = each.value
    for name, kind in (
        ("submittingEntity", "SUBMITTING_ENTITY"),
        ("affectedEntity", "AFFECTED_ENTITY"),
        ("ultimateParentUndertaking", "ULTIMATE_PARENT_UNDERTAKING_ENTITY"),
    ):
        if name in report:
            report[name] = {"entityType": kind, **report[name]}
    if "affectedEntity" in report:
        report["affectedEntity"] = [report["affectedEntity"]]
    return report


def _classification(found: Classification) -> dict[str, object]:
    return {
        "outcome": found.outcome,
        "underDora": found.under_dora,
        "because": found.because,
        "deciding": found.deciding,
        "criteria": [_criterion(each) for each in found.criteria],
        "duties": found.duties,
        "sources": found.sources,
    }


def _criterion(found: Criterion) -> dict[str, object]:
    return {
        "name": found.name,
        "source": found.source,
        "met": found.met,
        "conditions": found.conditions,
    }


def _timer(found: Timer) -> dict[str, object]:
    return {
        "name": found.name,
        "regime": found.regime,
        "title": found.title,
        "source": found.source,
        "state": found.state,
        "needed": found.needed,
        "from": iso(found.from_ns) if found.from_ns else None,
        "due": iso(found.due_ns) if found.due_ns else None,
        "leftSeconds": found.left_ns // 10**9 if found.due_ns and not found.done_ns else None,
        "done": iso(found.done_ns) if found.done_ns else None,
        "projected": found.projected,
        "note": found.note,
    }


def _moment(at_ns: int) -> str:
    return iso(at_ns)[:19].replace("T", " ") + " UTC"


def _shown(value: object) -> list[str]:
    """Return a field's value as lines."""
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    if isinstance(value, dict):
        return [f"{name}: {', '.join(_shown(part))}" for name, part in value.items()]
    if isinstance(value, tuple | list):
        return [line for part in value for line in _shown(part)]
    return str(value).splitlines()


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("seawall.status.regulators"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("draft.html.j2")
