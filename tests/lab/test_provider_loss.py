"""The provider-loss drill at its shortest, and its judges: each must see the breach it is for."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.tools import program

from seawall.core.state_digest import digest_spot
from seawall.journal.memory import MemoryDisk, MemoryJournal
from seawall.lab.bench.own import listing_commands
from seawall.lab.drills import DRILLS, DrillOptions
from seawall.lab.drills.cluster_audit import (
    Isolation,
    compare_replicas,
    first_after,
    isolated_acks,
    longest_gap,
    not_linearizable,
    went_back,
)
from seawall.lab.drills.cluster_history import Ack, History
from seawall.lab.linearizability import Operation
from seawall.lab.netns import can_make_namespaces
from seawall.lab.sequential import Asked, HoldAsked, HoldTold, OrderAsked, OrderTold, Phase
from seawall.model.commands import Command, Lead
from seawall.model.ids import Epoch
from seawall.node import snapshots
from seawall.node.cell import spot_cell


@pytest.mark.slow
async def test_one_provider_is_lost_and_no_word_is_broken(tmp_path: Path) -> None:
    program("etcd")
    fault = "cut" if await can_make_namespaces() else "kill"
    options = DrillOptions(rounds=1, fault=fault, seed=11)
    report = await DRILLS["provider-loss"].perform(options, tmp_path)
    broken = [promise for promise in report.promises if not promise.held]
    assert broken == []

    written = json.loads((tmp_path / "report.json").read_bytes())
    assert (written["drill"], written["held"], written["rounds"]) == ("provider-loss", True, 1)
    assert (written["lost"], written["duplicated"]) == (0, 0)
    assert written["digests_equal"] is True
    assert written["acknowledged"] > 20
    assert written["checked_operations"] > 50
    assert min(written[f"{what}_gap_s"] for what in ("write", "cancel", "etcd")) > 0
    assert {series["name"] for series in written["timeline"]["series"]} == {
        "amber", "blue", "coral",
    }  # fmt: skip
    assert [mark["kind"] for mark in written["timeline"]["marks"]] == ["fault", "heal"]
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "Every promise held." in page
    assert 'class="line line-2"' in page
    assert not (tmp_path / "logs").exists()


def ack(told_s: float, sequence: int = -1, **fields: Any) -> Ack:
    told = {"session": "s", "gateway": "amber", "kind": "place", "asked_s": told_s - 0.1}
    return Ack(told_s=told_s, sequence=sequence, **{**told, **fields})


def test_an_answer_that_knows_less_than_an_earlier_one_is_seen() -> None:
    assert went_back([ack(1, 5), ack(2, 5), ack(3, 9), ack(2.5, -1)]) == []
    assert len(went_back([ack(1, 5), ack(2, 4, gateway="blue")])) == 1
    assert went_back([ack(1, 5), ack(2, 4, session="another")]) == []


def test_what_may_be_old_is_held_against_its_own_gateway_only() -> None:
    old = ack(2, 4, gateway="blue", current=False)
    assert went_back([ack(1, 5), old]) == []
    assert len(went_back([ack(1, 5, gateway="blue"), old])) == 1
    assert len(went_back([old, ack(3, 3, gateway="blue", current=False)])) == 1


def test_an_acknowledgement_in_isolation_is_seen() -> None:
    cut = [Isolation(gateway="amber", from_s=10, to_s=20)]
    in_flight = ack(10.5, asked_s=9.9)
    elsewhere = ack(15, gateway="blue")
    after = ack(21, asked_s=15)
    said_old = ack(15, kind="look", current=False)
    assert isolated_acks([in_flight, elsewhere, after, said_old], cut) == []
    assert len(isolated_acks([ack(15), ack(15, kind="look"), ack(19, kind="cancel")], cut)) == 3


def test_gaps_reach_over_the_borders_of_the_fault() -> None:
    times_s = [1.0, 2.0, 9.0, 9.5, 20.0]
    assert longest_gap(times_s, 3, 12) == 10.5
    assert longest_gap(times_s, 3, 9.2) == 7
    assert longest_gap(times_s, 9.6, 12) == 10.5
    assert longest_gap([], 3, 12) == 9
    assert longest_gap([1.0], 3, 12) == 9
    assert first_after(times_s, 9.2) == pytest.approx(0.3)
    assert first_after(times_s, 20) is None


def order(call_s: float, asked: Asked, phase: Phase) -> Operation[OrderAsked, OrderTold]:
    return Operation(
        call_s=call_s,
        return_s=call_s + 1,
        input=OrderAsked(asked, "o", 10),
        output=OrderTold(phase),
    )


def test_a_false_answer_is_not_explained() -> None:
    history = History()
    history.orders += [order(0, Asked.PLACE, Phase.OPEN), order(2, Asked.LOOK, Phase.OPEN)]
    assert not_linearizable(history) == []
    history.orders.append(order(4, Asked.LOOK, Phase.ABSENT))
    assert len(not_linearizable(history)) == 1
    zero = Operation(
        call_s=1.0, return_s=2.0, input=HoldAsked(Asked.LOOK, "me"), output=HoldTold(held=0)
    )
    placed = Operation(
        call_s=0.0, return_s=0.5, input=HoldAsked(Asked.PLACE, "me", 7), output=HoldTold()
    )
    history.holds += [placed, zero]
    assert len(not_linearizable(history)) == 2


async def test_replicas_are_held_against_a_replay(tmp_path: Path) -> None:
    disk = MemoryDisk()
    truth = spot_cell()
    commands: list[Command] = [Lead(epoch=Epoch(1), node="amber"), *listing_commands()]
    origins = ["", *(f"amber.1.{number}" for number in range(len(commands) - 1))]
    origins[-1] = origins[-2]
    payloads = [
        truth.encode(command, 1_000 + number, "", origin)
        for number, (command, origin) in enumerate(zip(commands, origins, strict=True))
    ]
    disk.append(1, 1, payloads)
    for sequence, payload in enumerate(payloads, start=1):
        truth.commit(truth.decode(payload), sequence)
    folders = {name: tmp_path / name for name in ("amber", "blue")}
    for folder in folders.values():
        snapshots.write(folder / "snapshots", snapshots.take(truth, disk.head.hash, b""))
    journals = {"spot": MemoryJournal(disk)}
    found = await compare_replicas([spot_cell()], journals, folders)
    assert (found.equal, found.entries) == (True, len(payloads))
    assert found.twice == (origins[-1],)

    # One bit of one replica.
    before = digest_spot(truth.state)
    truth.state.next_order_id += 1
    assert digest_spot(truth.state) != before
    snapshots.write(folders["blue"] / "snapshots", snapshots.take(truth, disk.head.hash, b""))
    found = await compare_replicas([spot_cell()], journals, folders)
    assert not found.equal
    assert found.said == (f"blue's spot differs from the journal at {len(payloads)}",)
    found = await compare_replicas([spot_cell()], journals, {"gone": tmp_path / "gone"})
    assert not found.equal
