"""What the control cell says, as tables.  The rule: the same words as the API's, times as ages."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from rich.markup import escape
from rich.table import Table

Row = dict[str, Any]

SECOND_NS: Final = 1_000_000_000
OPEN: Final = "open"
_COLOURS: Final = {
    "open": "green",
    "ok": "green",
    "done": "green",
    "resolved": "green",
    "limited": "yellow",
    "post_only": "yellow",
    "auction": "yellow",
    "checking": "yellow",
    "approval": "yellow",
    "monitoring": "yellow",
    "degraded": "yellow",
    "minor": "yellow",
    "paused": "red",
    "cancel_only": "red",
    "halted": "red",
    "down": "red",
    "unknown": "magenta",
    "critical": "red",
}
_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def coloured(word: str) -> str:
    colour = _COLOURS.get(word)
    return f"[{colour}]{escape(word)}[/]" if colour else escape(word)


def age(at_ns: int) -> str:
    """Return how long ago it was, in two units at the most; nothing for never."""
    if not at_ns:
        return ""
    return span(max(time.time_ns() - at_ns, 0))


def span(length_ns: int) -> str:
    """Return a length of time, in two units at the most."""
    seconds = length_ns // SECOND_NS
    parts: list[str] = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def moment(at_ns: int) -> str:
    """Return a moment in UTC, to the second."""
    return datetime.fromtimestamp(at_ns // SECOND_NS, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def services_table(found: Row) -> Table:
    """Show each service as ordered, and where it stands otherwise."""
    table = Table("service", "posture", "stage", "since", "incident", "reason", box=None)
    for row in found["services"]:
        stands = [each for each in row["stands"] if each["posture"] != row["posture"]]
        posture = coloured(row["posture"])
        if stands:
            posture += f" [magenta](stands {escape(stands[0]['posture'])})[/]"
        table.add_row(
            escape(row["service"]),
            posture,
            escape(row.get("stage") or ""),
            age(row.get("since_ns", 0)),
            str(row.get("incident") or ""),
            escape(row.get("reason", "")),
        )
    return table


def verdicts_table(verdicts: dict[str, Row]) -> Table:
    table = Table("dependency", "verdict", "since", "witnesses", "why", box=None)
    for name, row in verdicts.items():
        words = row.get("words", {})
        table.add_row(
            escape(name),
            coloured(row.get("health", "unknown")),
            age(row.get("since_ns", 0)),
            escape(", ".join(f"{who}: {word['health']}" for who, word in words.items())),
            escape(row.get("reason", "")),
        )
    return table


def incidents_table(incidents: Iterable[Row]) -> Table:
    table = Table("no.", "severity", "phase", "what", "services", "opened", "next word", box=None)
    for row in incidents:
        due_ns = row.get("next_update_ns", 0)
        late = due_ns and due_ns < time.time_ns()
        due = f"[red]{age(due_ns)} late[/]" if late else span(max(due_ns - time.time_ns(), 0))
        table.add_row(
            str(row["number"]),
            coloured(row["severity"]),
            coloured(row.get("phase", "investigating")),
            escape(row.get("title_en") or _told(row)),
            escape(", ".join(row.get("services", ()))),
            age(row["opened_ns"]),
            due if due_ns else "",
        )
    return table


def timeline_table(incident: Row) -> Table:
    table = Table("when", "phase", "what", "facts", "who", box=None)
    for row in incident.get("updates", ()):
        words = row.get("words_en", "") or row.get("words_ar", "")
        facts = ", ".join(f"{name} {value}" for name, value in row.get("facts", {}).items())
        table.add_row(
            moment(row["at_ns"]),
            coloured(row["phase"]),
            escape(row["kind"]),
            escape("; ".join(filter(None, (facts, words)))),
            escape(row.get("person", "")),
        )
    return table


def plans_table(plans: Iterable[Row]) -> Table:
    table = Table(
        "plan", "services", "status", "stage", "for", "next needs", "approvals", "back", box=None
    )
    for row in plans:
        stages = row.get("stages", ())
        last = stages[-1] if stages else None
        table.add_row(
            str(row["plan_id"]),
            escape(", ".join(row["services"])),
            coloured("held" if row.get("held") else row.get("status", "waiting")),
            escape(last["stage"]) if last else "",
            age(last["entered_ns"]) if last else age(row["begun_ns"]),
            _gates(row),
            escape(", ".join(row.get("approvals", {}))) or "-",
            str(row.get("steps_back", 0)),
        )
    return table


def gates_table(plan: Row) -> Table:
    """Show the gates of every stage that was entered, and those of the next one."""
    table = Table("stage", "gate", "", "what was found", "needs", "measured", "evidence", box=None)
    for stage in plan.get("stages", ()):
        for gate in stage.get("gates", ()):
            _add_gate(table, stage["stage"], gate)
    for gate in plan.get("gates", ()):
        _add_gate(table, "next", gate)
    return table


def _add_gate(table: Table, stage: str, gate: Row) -> None:
    table.add_row(
        escape(stage),
        escape(gate["gate"]),
        _mark(gate.get("passed")),
        escape(gate.get("value", "")),
        escape(gate.get("needs", "")),
        age(gate.get("measured_ns", 0)),
        escape(gate.get("evidence", "")[:16]),
    )


def _gates(plan: Row) -> str:
    return " ".join(
        f"{escape(gate['gate'])} {_mark(gate.get('passed'))}" for gate in plan.get("gates", ())
    )


def _mark(passed: bool | None) -> str:
    if passed is None:
        return "[magenta]?[/]"
    return "[green]✓[/]" if passed else "[red]✗[/]"


def _told(incident: Row) -> str:
    facts = ", ".join(incident.get("facts", {}).values())
    return f"{incident['kind']}: {facts}" if facts else str(incident["kind"])
