"""`seawall posture`.  The rule: a person closes at once, and opens by a plan only."""

from pathlib import Path
from typing import Literal

from rich.markup import escape

from seawall.cli.control_tables import OPEN, age, coloured, services_table, verdicts_table
from seawall.cli.options import DEFAULT_DATA, Data, Json
from seawall.cli.output import Exit, human, print_json
from seawall.cli.running import operator

Posture = Literal["post_only", "auction", "cancel_only", "halted", "limited", "paused"]
"""Those of `model.posture.Posture` that are less than open."""
Severity = Literal["minor", "major", "critical"]


def show(*, data: Data = Path(DEFAULT_DATA), json: Json = False) -> int:
    """Show every service, the lease and every dependency; exit 1 if not all is open."""
    found = operator(data).get("control")
    calm = all(row["posture"] == OPEN for row in found["services"])
    calm = calm and not found["withdrawalsStopped"]
    if json:
        print_json(found)
        return int(Exit.OK if calm else Exit.FAILED)
    human.print(f"runbook {escape(found['runbook']) or 'none: nothing is decided by itself'}")
    lease = found["lease"]
    if lease.get("refused"):
        human.print(f"lease  [red]refused[/]: {escape(lease['refused'])}")
    elif found["withdrawalsStopped"]:
        human.print(f"lease  [red]run out[/] {age(lease.get('until_ns', 0))} ago")
    elif lease.get("number"):
        human.print("lease  [green]alive[/]: withdrawals may run")
    human.print(services_table(found))
    if found["verdicts"]:
        human.print(verdicts_table(found["verdicts"]))
    return int(Exit.OK if calm else Exit.FAILED)


def order(
    new_posture: Posture,
    /,
    *services: str,
    reason: str,
    person: str,
    severity: Severity = "major",
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Move services towards less, at once; an incident tells of it.

    Parameters
    ----------
    new_posture
        What they are to be; the way back is a plan, see `seawall reopen`.
    services
        Names, or patterns with `*`: market/BTCUSDT, withdrawal/ETH/ETH, "withdrawal/*", transfers.
    reason
        Why, in words for users.
    person
        Who orders it.
    severity
        Of the incident.
    """
    desk = operator(data)
    body = {
        "services": services or ("*",),
        "posture": new_posture,
        "reason": reason,
        "person": person,
        "severity": severity,
    }
    done = desk.post("posture", body)
    if json:
        print_json(done)
        return int(Exit.OK)
    named = ", ".join(services) or "every service"
    human.print(f"[green]✓[/] Ordered: {escape(named)} to {coloured(new_posture)}.")
    human.print(services_table(desk.get("control")))
    return int(Exit.OK)
