"""`seawall operators`.  The rule: a token is printed once, to who made it, and kept nowhere.

They work on the file alone, whether the exchange runs or not; it reads the file when it changes.
"""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from seawall.cli.options import DEFAULT_DATA, Data, Json
from seawall.cli.output import CliError, Exit, human, print_json
from seawall.cli.running import TOKEN_VARIABLE
from seawall.gateway.operators import (
    APPROVERS,
    OPERATORS_FILE,
    OperatorsError,
    Role,
    add_person,
    read_people,
    remove_person,
)

CLUSTER = f"Every node of a cluster needs the same {OPERATORS_FILE}: copy it to the others."


def add(
    name: str,
    /,
    *,
    role: Annotated[tuple[Role, ...], Parameter(name="--role", negative=())],
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Name a person who runs the exchange, and print the token that is theirs alone, this once.

    Parameters
    ----------
    name
        The person, as `--person` is to name them from now on.
    role
        viewer sees; operator acts as well; approver approves as well. Repeat it for more.
    """
    path = _file(data)
    try:
        token = add_person(path, name, role)
    except OperatorsError as error:
        raise _wrong(path, error) from None
    except OSError as error:
        raise _unwritable(path, error) from None
    if json:
        print_json({"name": name, "roles": role, "token": token, "file": path})
        return int(Exit.OK)
    human.print(f"[green]✓[/] {escape(name)} stands in {escape(str(path))}. The token, shown once:")
    human.print(f"  {token}", markup=False)
    human.print(
        f"[dim]Hand it over where nobody reads along; the person sets {TOKEN_VARIABLE} to it."
        f"\n{CLUSTER}[/]"
    )
    return int(Exit.OK)


def names(*, data: Data = Path(DEFAULT_DATA), json: Json = False) -> int:
    """Show who is named, with their roles, and whether the shared token may still approve."""
    path = _file(data)
    try:
        people = read_people(path)
    except OperatorsError as error:
        raise _wrong(path, error) from None
    approves = people.approvers < APPROVERS
    if json:
        rows = [{"name": each.name, "roles": each.roles} for each in people.operator]
        print_json({"operators": rows, "sharedTokenApproves": approves})
        return int(Exit.OK)
    if people.operator:
        table = Table("person", "roles", box=None)
        for each in people.operator:
            table.add_row(escape(each.name), ", ".join(each.roles))
        human.print(table)
    else:
        human.print(f"Nobody is named: there is no {OPERATORS_FILE}, or it is empty.")
    if approves:
        human.print(
            f"[yellow]operator.token may approve in any name that is not here[/], until {APPROVERS}"
            " approvers are named."
        )
    else:
        human.print("operator.token approves nothing: approvers have tokens of their own.")
    return int(Exit.OK)


def remove(name: str, /, *, data: Data = Path(DEFAULT_DATA), json: Json = False) -> int:
    """Take a person's token away, from their next call on.

    Parameters
    ----------
    name
        The person.
    """
    path = _file(data)
    try:
        person = remove_person(path, name)
    except OperatorsError as error:
        raise _wrong(path, error) from None
    except OSError as error:
        raise _unwritable(path, error) from None
    if json:
        print_json({"name": person.name, "removed": True, "file": path})
    else:
        human.print(f"[green]✓[/] {escape(person.name)} may nothing from now on.")
        human.print(f"[dim]{CLUSTER}[/]")
    return int(Exit.OK)


def _file(data: Path) -> Path:
    if not data.is_dir():
        raise CliError(
            f"{data} is no directory.",
            "Name the exchange's with --data, or start an exchange there: seawall up",
            Exit.UNREACHABLE,
        )
    return data / OPERATORS_FILE


def _wrong(path: Path, error: OperatorsError) -> CliError:
    return CliError(
        f"{path}: {error}", "docs/operating/operators.md shows a whole file.", Exit.USAGE
    )


def _unwritable(path: Path, error: OSError) -> CliError:
    return CliError(
        f"{path} cannot be written: {error.strerror}",
        "Run the command as the user that runs the exchange.",
        Exit.UNREACHABLE,
    )
