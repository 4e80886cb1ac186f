"""`seawall reopen` and `seawall approve`.  The rule: a plan opens, gates let it, people agree."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from rich.markup import escape

from seawall.cli.control_tables import coloured, gates_table, plans_table
from seawall.cli.options import DEFAULT_DATA, Data, Json
from seawall.cli.output import CliError, Exit, human, print_json
from seawall.cli.running import operator

Stage = Literal[
    "post_only", "auction", "open_collared", "verify", "canary", "limited", "wider", "open"
]
_ENDED = ("done", "abandoned")


def names(*, every: bool = False, data: Data = Path(DEFAULT_DATA), json: Json = False) -> int:
    """Show the plans that run, and what stands before the next stage of each.

    Parameters
    ----------
    every
        Those that have ended as well.
    """
    found = operator(data).get("plans")
    if not every:
        found["plans"] = [row for row in found["plans"] if row.get("status") not in _ENDED]
    if json:
        print_json(found)
        return int(Exit.OK)
    human.print(plans_table(found["plans"]) if found["plans"] else "Nothing is on its way back.")
    return int(Exit.OK)


def show(number: int, /, *, data: Data = Path(DEFAULT_DATA), json: Json = False) -> int:
    """Show one plan with the record of every gate.

    Parameters
    ----------
    number
        The plan, as `seawall reopen list` shows it.
    """
    plans = operator(data).get("plans")["plans"]
    plan = next((row for row in plans if row["plan_id"] == number), None)
    if plan is None:
        raise CliError(f"There is no plan {number}.", "seawall reopen list --every", Exit.REFUSED)
    if json:
        print_json(plan)
        return int(Exit.OK)
    human.print(plans_table([plan]))
    if plan.get("held"):
        human.print(f"held: {escape(plan['held'])}")
    human.print(gates_table(plan))
    return int(Exit.OK)


def start(
    *services: str,
    person: str,
    incident: int = 0,
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Lead services back by their ladder; the runbook begins such plans by itself too.

    Parameters
    ----------
    services
        Names or patterns; every service that is not open unless named.
    person
        Who begins it.
    incident
        The incident that it belongs to.
    """
    body = {"services": services or ("*",), "incident": incident, "person": person}
    done = operator(data).post("plans", body)
    if json:
        print_json(done)
        return int(Exit.OK)
    running = [row for row in done["plans"] if row.get("status") not in _ENDED]
    human.print(plans_table(running))
    return int(Exit.OK)


def hold(
    number: int,
    /,
    *,
    person: str,
    reason: str,
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Let a plan go no further; failing gates still step it back.

    Parameters
    ----------
    number
        The plan.
    person
        Who stops it.
    reason
        Why.
    """
    return _act(number, "hold", {"held": True, "reason": reason, "person": person}, data, json=json)


def go_on(
    number: int,
    /,
    *,
    person: str,
    reason: str,
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Let a plan that was held go on.

    Parameters
    ----------
    number
        The plan.
    person
        Who lets it.
    reason
        Why.
    """
    body = {"held": False, "reason": reason, "person": person}
    return _act(number, "hold", body, data, json=json)


def step_back(
    number: int,
    /,
    *,
    person: str,
    reason: str,
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Take a plan back to its first stage: its services close at once.

    Parameters
    ----------
    number
        The plan.
    person
        Who takes it back.
    reason
        Why, in words for users.
    """
    return _act(number, "step-back", {"reason": reason, "person": person}, data, json=json)


def approve(
    number: int,
    stage: Stage,
    /,
    *,
    person: str,
    role: str = "operator",
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Agree to a plan's next stage, once its gates have passed; wide ones need two people.

    Parameters
    ----------
    number
        The plan, as `seawall reopen list` shows it.
    stage
        The stage that is agreed to, so that nobody agrees to another than they looked at.
    person
        Who agrees.
    role
        In what role; the status site shows it, and not the name.
    """
    body = {"stage": stage, "person": person, "role": role}
    return _act(number, "approve", body, data, json=json)


def _act(number: int, verb: str, body: Mapping[str, object], data: Path, *, json: bool) -> int:
    plan = operator(data).post(f"plans/{number}/{verb}", dict(body))
    if json:
        print_json(plan)
        return int(Exit.OK)
    status = "held" if plan.get("held") else plan.get("status", "waiting")
    human.print(f"[green]✓[/] Plan {number} is {coloured(status)}.")
    human.print(plans_table([plan]))
    return int(Exit.OK)
