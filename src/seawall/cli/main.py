"""The command `seawall`.  The rule: names and exit codes are part of the contract.

Commands are imported when they are called, so that `--help` and `--version` are quick.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

from cyclopts import App, CycloptsError

from seawall import __version__
from seawall.cli.commands.drill import perform
from seawall.cli.commands.incident import names as list_incidents
from seawall.cli.commands.node import run as run_node
from seawall.cli.commands.posture import show as show_posture
from seawall.cli.commands.reopen import names as list_plans
from seawall.cli.commands.runbook import show as show_runbook
from seawall.cli.output import CliError, Exit, fail, human, notes


def version() -> str:
    """Say which Seawall this is, and whether its core is compiled."""
    return f"seawall {__version__} ({core()} core)"


def core() -> str:
    """Return `compiled` or `plain`."""
    path = import_module("seawall.core.book").__file__ or ""
    return "plain" if path.endswith(".py") else "compiled"


app = App(
    name="seawall",
    help="A crypto exchange that keeps its promises when its cloud goes down.",
    help_epilogue=(
        "Try `seawall up --demo`, then open http://127.0.0.1:8080 .\n\n"
        "Every command takes `--json`. Exit codes: 0 done, 1 a check failed, 2 wrong usage or"
        " configuration, 3 not reachable, 4 refused by the exchange."
    ),
    version=version,
    version_flags=["--version"],
    console=human,
    error_console=notes,
    result_action="return_value",
)

config = App(name="config", help="Look at the configuration.")
keys = App(name="keys", help="Users' API keys.")
operators = App(name="operators", help="People who run the exchange, and what each may.")
market = App(name="market", help="Markets of a running exchange.")
journal = App(name="journal", help="Look at the journals, and check them.")
funding = App(name="funding", help="Money in and out of a running exchange.")
demo = App(name="demo", help="Play money on a demo's own chain.")
signer = App(name="signer", help="The process that holds the keys and signs payments.")
node = App(name="node", help="One node of a cluster.")
cluster = App(name="cluster", help="A whole cluster on this machine, and its faults.")
incident = App(name="incident", help="What takes services away, and what is said of it.")
posture = App(name="posture", help="What every service does, and closing it by hand.")
reopen = App(name="reopen", help="The way back, stage by stage.")
announce = App(name="announce", help="Say something in public.")
runbook = App(name="runbook", help="The rules from trouble to postures, and the way back.")
watch = App(name="watch", help="Look at others' wallets, and at one's own, from outside.")
status = App(name="status", help="The public status site.")
drill = App(name="drill", help="Hurt an exchange on purpose, and check its promises.")

app.command(config)
app.command(keys)
app.command(operators)
app.command(market)
app.command(journal)
app.command(funding)
app.command(demo)
app.command(signer)
app.command(node)
app.command(cluster)
app.command(incident)
app.command(posture)
app.command(reopen)
app.command(announce)
app.command(runbook)
app.command(watch)
app.command(status)
app.command(drill)

COMMANDS: Final[tuple[tuple[App, str, str, str], ...]] = (
    (app, "up", "up:up", "Run an exchange until Ctrl-C or SIGTERM."),
    (app, "replay", "replay:play", "Play a capture of a real market, and compare."),
    (app, "bench", "bench:bench", "Measure a part of the exchange against a yardstick."),
    (config, "check", "config:check", "Check the configuration, and print its markets."),
    (config, "show", "config:show", "Print every setting with its present value."),
    (keys, "create", "keys:create", "Create an API key on a running exchange."),
    (operators, "list", "operators:names", "Show who may what."),
    (operators, "add", "operators:add", "Name a person, and make their token."),
    (operators, "remove", "operators:remove", "Take a person's token away."),
    (market, "status", "market:status", "Change what a market accepts."),
    (journal, "verify", "journal:verify", "Replay all, and check all that must hold."),
    (journal, "show", "journal:show", "Print entries."),
    (journal, "head", "journal:head", "Say where each journal ends."),
    (funding, "queue", "funding:queue", "Show what waits to be paid, and why."),
    (funding, "approve", "funding:approve", "Approve a withdrawal; two people have to."),
    (funding, "reject", "funding:reject", "Refuse a withdrawal."),
    (funding, "pause", "funding:pause", "Stop deposits or withdrawals of an asset."),
    (funding, "resume", "funding:resume", "Open them again."),
    (funding, "topups", "funding:top_ups", "Show what cold storage should send."),
    (funding, "topped-up", "funding:topped_up", "Book what cold storage has sent."),
    (funding, "reconcile", "funding:reconcile", "Compare chain and ledger."),
    (demo, "faucet", "demo:faucet", "Send play coins to a user's deposit address."),
    (demo, "withdraw", "demo:withdraw", "Withdraw play coins of the demo user."),
    (demo, "transaction", "demo:transaction", "Show a transaction of the demo's chain."),
    (signer, "run", "signer:run", "Sign what the limits allow, until Ctrl-C or SIGTERM."),
    (signer, "keystore", "signer:keystore", "Make a sealed file of keys."),
    (node, "handover", "node:handover", "Give the lead of a cell to another node."),
    (cluster, "up", "cluster:up", "Run a whole cluster on this machine."),
    (cluster, "down", "cluster:down", "Stop it, or what is left of it."),
    (cluster, "status", "cluster:status", "Say how each provider is."),
    (cluster, "cut", "cluster:cut", "Cut a provider off the others."),
    (cluster, "heal", "cluster:heal", "Undo cuts, slowness and a full disk."),
    (cluster, "kill", "cluster:kill", "End a provider's processes with SIGKILL."),
    (cluster, "start", "cluster:start", "Start what does not run at a provider."),
    (cluster, "pause", "cluster:pause", "Stop a provider's processes where they are."),
    (cluster, "resume", "cluster:resume", "Let them run on."),
    (cluster, "slow", "cluster:slow", "Delay what a provider sends."),
    (cluster, "disk-full", "cluster:disk_full", "Leave no byte free on a provider's disk."),
    (cluster, "disk-ok", "cluster:disk_ok", "Give it its space back."),
    (cluster, "repair", "cluster_repair:repair", "Bring back a journal that lost its majority."),
    (cluster, "approve", "cluster_repair:approve", "Approve a repair; two people have to."),
    (cluster, "approver", "cluster_repair:approver", "Make the key of a person who may approve."),
    (cluster, "secrets", "cluster:secrets", "Make what all nodes of a cluster share."),
    (node, "status", "node:status", "Say who leads, and how current the node is."),
    (watch, "wallet", "watch:wallet", "Say when a wallet of any exchange has gone silent."),
    (watch, "board", "board:board", "Say which clouds and exchanges are in trouble together."),
    (watch, "run", "watcher:run", "Watch a cluster, and report what is seen to it."),
    (watch, "key", "watcher:key", "Make the key that a watcher signs with."),
    (watch, "watchers", "watchers:names", "Show whose reports are believed."),
    (watch, "believe", "watchers:believe", "Believe a watcher from now on."),
    (watch, "disbelieve", "watchers:disbelieve", "Believe it no more."),
    (incident, "list", "incident:names", "Show open incidents."),
    (incident, "show", "incident:show", "Show one with all that was said of it."),
    (incident, "open", "incident:begin", "Open one by hand."),
    (incident, "resolve", "incident:resolve", "End one."),
    (incident, "classify", "incident_report:classify", "Say whether it is major, and by when."),
    (incident, "report", "incident_report:report", "Draft a report of it to the regulator."),
    (posture, "show", "posture:show", "Show every service and dependency."),
    (posture, "order", "posture:order", "Close services, at once."),
    (reopen, "list", "reopen:names", "Show what is on its way back."),
    (reopen, "show", "reopen:show", "Show a plan with the record of every gate."),
    (reopen, "start", "reopen:start", "Lead services back."),
    (reopen, "hold", "reopen:hold", "Let a plan go no further."),
    (reopen, "go-on", "reopen:go_on", "Let it go on."),
    (reopen, "back", "reopen:step_back", "Take it back to its first stage."),
    (app, "approve", "reopen:approve", "Agree to a plan's next stage; wide ones need two."),
    (announce, "incident", "incident:announce", "Say something of an incident."),
    (announce, "planned", "maintenance:planned", "Announce planned work."),
    (announce, "done", "maintenance:done", "Say that planned work has ended."),
    (runbook, "show", "runbook:show", "Print the runbook in force."),
    (runbook, "check", "runbook:check", "Read one, and say what is wrong with it."),
    (runbook, "adopt", "runbook:adopt", "Rule by one from now on."),
    (status, "run", "status:run", "Keep the site current, and tell subscribers."),
    (status, "build", "status:build_once", "Build it once, into a folder."),
    (status, "check", "status:check_copies", "Read published copies as a reader would."),
    (drill, "list", "drill:names", "List the drills."),
)
"""Where a command stands, its name, its function, and its line in the help."""

for group, name, function, line in COMMANDS:
    group.command(f"seawall.cli.commands.{function}", name=name, help=line)
drill.default(perform)
posture.default(show_posture)
incident.default(list_incidents)
reopen.default(list_plans)
runbook.default(show_runbook)
node.default(run_node)


def run(tokens: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    given = list(sys.argv[1:] if tokens is None else tokens)
    as_json = "--json" in given
    try:
        result: Any = app(given, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        advice = "`seawall --help` lists the commands; each has a --help of its own."
        fail(CliError(str(error), advice, Exit.USAGE), as_json=as_json)
    except CliError as error:
        fail(error, as_json=as_json)
    except KeyboardInterrupt:
        raise SystemExit(int(Exit.INTERRUPTED)) from None
    except BrokenPipeError:
        # Whoever read our output had enough; nothing more can be said to them.
        sys.stderr.close()
        raise SystemExit(int(Exit.OK)) from None
    raise SystemExit(result if isinstance(result, int) else int(Exit.OK))
