"""`seawall cluster repair`.  The rule: nothing is changed without --apply and two people.

What it runs is imported when it runs: the command line reads this module for its options.
"""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from seawall.cli.options import Json
from seawall.cli.output import CliError, Exit, human, print_json

if TYPE_CHECKING:
    from seawall.cli.cluster_repair import Work
    from seawall.node.repair import RepairPlan
    from seawall.node.topology_file import TopologyFile

Names = Annotated[tuple[str, ...], Parameter(negative=())]
RUNBOOK = "docs/operating/quorum-repair.md has every step."


def repair(
    *,
    topology: Path,
    work: Path,
    etcd: Names = (),
    node: Names = (),
    lost: Names = (),
    accept_loss: Annotated[bool, Parameter(negative=())] = False,
    apply: Annotated[bool, Parameter(negative=())] = False,
    json: Json = False,
) -> int:
    """Bring back the journal after the loss of a majority of etcd; docs/operating/quorum-repair.md.

    With sources named: reads them, and says what the latest entry is, proven by the hash chain.
    With none: shows the plan that was made, and who approved it. Both change nothing but the
    work folder. With --apply: puts the approved plan into the new, empty etcd of the topology;
    after an interruption, again.

    Parameters
    ----------
    topology
        TOML file of the cluster; its etcd members are those of the new cluster.
    work
        Folder for the plan, the approvals, the progress and the record. Keep it.
    etcd
        NAME=DIR: a member's data directory, or a copy; the member must not run. Repeatable.
    node
        NAME=DIR: a node's data directory, or a copy; the node must not run. Repeatable.
    lost
        etcd/NAME, node/NAME or archive/NAME: gone for good, nothing of it can be read. Repeatable.
    accept_loss
        Go on although entries that were durable are nowhere; the approvers are told which.
    apply
        Carry out the approved plan.
    """
    from seawall.cli.cluster_repair import RepairError, Work
    from seawall.cli.cluster_status import load_topology

    file = load_topology(topology)
    folder = Work(work)
    try:
        if apply:
            if etcd or node or lost or accept_loss:
                raise CliError("--apply takes no sources.", "The plan names them.", Exit.USAGE)
            return _apply(file, folder, as_json=json)
        if etcd or node or lost:
            plan = _survey(file, folder, _pairs(etcd), _pairs(node), lost, accepts_loss=accept_loss)
        else:
            plan = folder.plan()
        return _show(folder, plan, as_json=json)
    except (RepairError, OSError) as error:
        raise CliError(f"{error}", RUNBOOK) from error


def approve(
    *,
    topology: Path,
    work: Path,
    person: str,
    key: Path,
    confirm: str = "",
    json: Json = False,
) -> int:
    """Approve the repair that was planned; two different people have to, each with their own key.

    Parameters
    ----------
    topology
        TOML file of the cluster; its [[approver]] entries say who may.
    work
        The folder with the plan.
    person
        Your name, as the topology has it.
    key
        File with your key, as `seawall cluster approver` made it.
    confirm
        The sentence to be typed; asked for unless given.
    """
    from seawall.cli.cluster_repair import RepairError, Work, phrase
    from seawall.cli.cluster_repair import approve as add
    from seawall.cli.cluster_status import load_topology
    from seawall.node.approvals import ApprovalError

    file = load_topology(topology)
    folder = Work(work)
    try:
        plan = folder.plan()
        if not confirm:
            if not sys.stdin.isatty():
                raise CliError("Nobody can type here.", "Give --confirm TEXT.", Exit.USAGE)
            _tell(folder, plan)
            human.print(f"\nTo approve, type: [bold]{escape(phrase(plan))}[/]")
            confirm = input("> ")
        add(file, folder, person, key, confirm)
    except (RepairError, ApprovalError, OSError) as error:
        raise CliError(f"{error}", RUNBOOK, Exit.REFUSED) from error
    return _show(folder, plan, as_json=json)


def approver(name: str, /, *, out: Path, json: Json = False) -> int:
    """Make an approver's key, and print what the topology has to say of them.

    Parameters
    ----------
    name
        The person.
    out
        File for the private key; only that person may have it.
    """
    from seawall.node.approvals import new_key

    try:
        public = new_key(out)
    except OSError as error:
        raise CliError(f"{out} cannot be written: {error}", "Name a file that is new.") from error
    if json:
        print_json({"name": name, "key": public})
    else:
        human.print(f'[[approver]]\nname = "{name}"\nkey = "{public}"', markup=False)
    return int(Exit.OK)


def _survey(
    file: "TopologyFile",
    work: "Work",
    members: dict[str, Path],
    nodes: dict[str, Path],
    lost: tuple[str, ...],
    *,
    accepts_loss: bool,
) -> "RepairPlan":
    from seawall.cli.cluster_repair import RepairError, Sources, still_answers, survey
    from seawall.cli.cluster_verify import any_client
    from seawall.cli.running import not_running
    from seawall.lab.etcd import EtcdLabError, find_etcd

    for data in nodes.values():
        not_running(data)
    try:
        program = find_etcd()
    except EtcdLabError as error:
        raise CliError(str(error), RUNBOOK, Exit.UNREACHABLE) from error

    async def run() -> "RepairPlan":
        client = any_client(file)
        try:
            answer = await still_answers(client)
        finally:
            await client.close()
        if answer:
            raise RepairError(f"the journal has a majority: {answer}.  It needs no repair")
        sources = Sources(members=members, nodes=nodes, lost=lost)
        return await survey(file, sources, work, program, accepts_loss=accepts_loss)

    return asyncio.run(run())


def _apply(file: "TopologyFile", work: "Work", *, as_json: bool) -> int:
    from seawall.cli.cluster_repair import Record, apply
    from seawall.cli.cluster_verify import any_client

    async def run() -> Record:
        client = any_client(file)
        try:
            return await apply(file, work, client, told)
        finally:
            await client.close()

    def told(step: str) -> None:
        if not as_json:
            human.print(f"[green]✓[/] {step}")

    record = asyncio.run(run())
    if as_json:
        print_json(record)
    else:
        people = " and ".join(approval.person for approval in record.approvals)
        human.print(f"Repair {record.plan.repair}, approved by {escape(people)}, is done.")
        human.print(f"Its record: {work.record_path}; start the nodes.")
    return int(Exit.OK)


def _show(work: "Work", plan: "RepairPlan", *, as_json: bool) -> int:
    refusals = plan.refusals()
    if as_json:
        print_json(
            {
                "plan": plan,
                "digest": plan.digest,
                "refusals": refusals,
                "approvals": [each.person for each in work.approvals()],
                "done": work.progress(plan.digest).done,
            }
        )
    else:
        _tell(work, plan)
    return int(Exit.FAILED if refusals else Exit.OK)


def _tell(work: "Work", plan: "RepairPlan") -> None:
    from seawall.cli.cluster_repair import phrase

    table = Table("cell", "source", "from", "to", "epoch", "hash", "in its log only", box=None)
    for cell in plan.cells:
        if cell.archived:
            row = (cell.cell, "archive", "1", f"{cell.archived:,}", "", cell.archived_hash[:16], "")
            table.add_row(*row)
        for end in cell.sources:
            table.add_row(
                cell.cell,
                escape(end.source),
                f"{end.first:,}",
                f"{end.last:,}",
                str(end.epoch),
                end.hash[:16],
                f"{end.unsure:,}" if end.unsure else "",
            )
        proven = f"[bold]{cell.sequence:,}[/]"
        kept = f"{cell.unsure:,} kept" if cell.unsure else ""
        table.add_row(
            cell.cell, "[bold]proven[/]", "1", proven, str(cell.epoch), cell.hash[:16], kept
        )
    human.print(table)
    human.print(f"gone for good, as it is said: {escape(', '.join(plan.lost)) or 'nothing'}")
    for cell in plan.cells:
        for told in [*cell.losses, *cell.contradictions]:
            human.print(f"[bold red]✗[/] {cell.cell}: {escape(told)}")
    for told in plan.refusals():
        human.print(f"[bold red]refused[/] {escape(told)}")
    approved = ", ".join(each.person for each in work.approvals() if each.digest == plan.digest)
    human.print(f"plan {plan.digest[:8]}, approved by: {escape(approved) or 'nobody yet'}")
    done = work.progress(plan.digest).done
    if done:
        human.print(f"done: {', '.join(done)}")
    elif not plan.refusals():
        human.print(f"two people approve with: [bold]{escape(phrase(plan))}[/]")


def _pairs(given: tuple[str, ...]) -> dict[str, Path]:
    found = {}
    for each in given:
        name, sign, path = each.partition("=")
        if not sign or not name or not path or name in found:
            raise CliError(f"{each!r} is no NAME=DIR.", "Name each source once.", Exit.USAGE)
        found[name] = Path(path)
    return found
