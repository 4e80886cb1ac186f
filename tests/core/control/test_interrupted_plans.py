"""Every plan interrupted at every step: whoever goes on from a prefix comes to the same end."""

import os
import subprocess
import sys

import pytest
from tests.core.control.incident_desk import ETH, MARKETS, SECOND, WATCHERS, Desk

from seawall.core.control.invariants import check_control
from seawall.core.control.machine import commit_control
from seawall.core.control.state import (
    ControlState,
    digest_control,
    dump_control,
    load_control,
)
from seawall.model.commands import Lead, encode_record
from seawall.model.control_commands import (
    ControlCommand,
    ControlRecord,
    HoldPlan,
    decode_control_record,
)
from seawall.model.control_events import PostureOrdered, StageEntered, SteppedBack
from seawall.model.ids import Epoch
from seawall.model.posture import IncidentPhase, Posture
from seawall.model.runbook import GateName
from seawall.model.watch_facts import Health

Journal = list[bytes]
BEAT = 4
"""Seconds between rounds: watchers' words count for five."""


class Script(Desk):
    """A whole incident in few entries: two providers report, every four seconds."""

    services = (*MARKETS, ETH, "transfers")
    rounds_of = WATCHERS[:2]

    def second(self) -> None:
        begun = self.now
        super().second()
        self.approve_all("ann", "bob")
        self.now = begun + BEAT * SECOND


def written() -> Journal:
    """Return the journal of an incident: markets halted, withdrawals paused, back by all stages.

    On its way one gate fails, a person holds a plan, and another leads.
    """
    desk = Script()
    desk.set_up()
    desk.seconds(9)
    desk.bad = {
        "cell/spot": Health.DOWN,
        "provider/amber": Health.DOWN,
        "cell/funding": Health.DOWN,
    }
    desk.seconds(3)
    desk.bad.clear()
    desk.seconds(9)
    number = desk.row(ETH).plan
    desk.play(HoldPlan(plan_id=number, held=True, reason="we look first", person="ann"))
    desk.seconds(2)
    desk.play(HoldPlan(plan_id=number, held=False, reason="", person="ann"))
    desk.seconds(1)
    desk.failing[GateName.CHAIN_RECONCILED.value] = True
    desk.seconds(1)
    desk.failing.clear()
    desk.play(Lead(epoch=Epoch(2), node="blue"))
    desk.seconds(34)
    assert all(posture is Posture.OPEN for posture in desk.postures().values())
    assert all(each.phase is IncidentPhase.RESOLVED for each in desk.state.book.incidents.values())
    return [
        encode_record(ControlRecord(at_ns=at_ns, command=command)) for at_ns, command in desk.log
    ]


@pytest.fixture(scope="module")
def journal() -> Journal:
    return written()


def commit(state: ControlState, payload: bytes) -> list[str]:
    """Apply one entry; return what services and plans did in it."""
    record = decode_control_record(payload)
    return play(state, record.command, record.at_ns)


def play(state: ControlState, command: ControlCommand, at_ns: int) -> list[str]:
    events = commit_control(state, command, sequence=state.sequence + 1, at_ns=at_ns)
    told = []
    for event in events:
        if isinstance(event, PostureOrdered):
            told.append(f"{event.name} {event.posture} {event.order}")
        elif isinstance(event, StageEntered | SteppedBack):
            told.append(f"plan {event.plan.plan_id} {event.plan.stages[-1].stage}")
    return told


def replay(state: ControlState, journal: Journal) -> list[str]:
    return [line for payload in journal for line in commit(state, payload)]


def test_the_incident_goes_through_every_stage(journal: Journal) -> None:
    told = replay(ControlState(), journal)
    for stage in ("verify", "canary", "limited", "wider", "open", "post_only", "open_collared"):
        assert any(line.startswith("plan") and line.endswith(stage) for line in told)
    assert sum(line.startswith(f"{ETH} paused") for line in told) == 2, "it steps back once"


def eventful(journal: Journal) -> list[int]:
    """Return the places before and after every step of a plan or service."""
    state = ControlState()
    places: dict[int, None] = {}
    for place, payload in enumerate(journal):
        if commit(state, payload):
            places[place] = None
            places[place + 1] = None
    return list(places)


def test_a_crash_at_every_prefix_changes_nothing(journal: Journal) -> None:
    """All of the state is in the snapshot: from each prefix the same states are reached.

    Around each step to the very end; elsewhere as far as twenty entries tell.
    """
    whole = ControlState()
    digests = [digest_control(whole)]
    for payload in journal:
        commit(whole, payload)
        digests.append(digest_control(whole))
    steps = eventful(journal)
    prefix = ControlState()
    for place, payload in enumerate(journal):
        resumed = load_control(dump_control(prefix))
        end = len(journal) if place in steps else min(place + 20, len(journal))
        replay(resumed, journal[place:end])
        assert digest_control(resumed) == digests[end], f"from entry {place}"
        commit(prefix, payload)


def steps_of(told: list[str]) -> dict[str, list[str]]:
    """Return what each service and plan did, in its order; numbers of orders may differ."""
    steps: dict[str, list[str]] = {}
    for line in told:
        words = line.split()
        name = " ".join(words[:2]) if words[0] == "plan" else words[0]
        steps.setdefault(name, []).append(words[2] if words[0] == "plan" else words[1])
    return steps


def test_another_leader_at_every_step_takes_the_same_steps(journal: Journal) -> None:
    """The journal is cut, and who leads then goes on: not a step twice, and none left out."""
    wanted = steps_of(replay(ControlState(), journal))
    prefix = ControlState()
    before: list[str] = []
    steps = eventful(journal)
    for place, payload in enumerate(journal):
        if place not in steps and place % 10:
            before += commit(prefix, payload)
            continue
        resumed = load_control(dump_control(prefix))
        lead = Lead(epoch=Epoch(resumed.epoch + 1), node="coral")
        told = before + play(resumed, lead, resumed.at_ns + 1)
        for later in journal[place:]:
            record = decode_control_record(later)
            command = record.command
            if isinstance(command, Lead):
                command = Lead(epoch=Epoch(resumed.epoch + 1), node=command.node)
            told += play(resumed, command, record.at_ns)
        check_control(resumed)
        assert steps_of(told) == wanted, f"from entry {place}"
        before += commit(prefix, payload)


@pytest.mark.parametrize("gone_s", [2, 20, 29])
def test_a_leader_who_is_gone_for_a_while_loses_no_step(gone_s: int) -> None:
    """Nothing is written while nobody leads; then the plan goes on, or steps back and comes."""
    for cut in range(4, 40, 9):
        desk = Script()
        desk.set_up()
        desk.seconds(9)
        desk.bad["provider/amber"] = Health.DOWN
        desk.bad["cell/spot"] = Health.DOWN
        desk.seconds(2)
        desk.bad.clear()
        desk.seconds(cut)
        desk.now += gone_s * SECOND
        desk.play(Lead(epoch=Epoch(2), node="coral"))
        desk.seconds(90)
        assert desk.row(ETH).posture is Posture.OPEN, f"cut after {cut}"
        assert desk.row(MARKETS[0]).posture is Posture.OPEN, f"cut after {cut}"


def test_the_same_journal_in_processes_with_other_hashes(journal: Journal) -> None:
    program = (
        "import sys\n"
        "from tests.core.control.test_interrupted_plans import replay\n"
        "from seawall.core.control.state import ControlState, digest_control\n"
        "state = ControlState()\n"
        "replay(state, sys.stdin.buffer.read().splitlines())\n"
        "sys.stdout.write(digest_control(state))\n"
    )
    digests = []
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", program],
            input=b"\n".join(journal),
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
        )
        digests.append(run.stdout.decode())
    state = ControlState()
    replay(state, journal)
    assert digests == [digest_control(state)] * 2
