"""Cells of different moments: whatever passes the check has neither made nor lost money."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.node.market import COIN, open_node, set_up

from seawall.core.funding import commit_funding
from seawall.core.funding_state import FundingState, dump_funding, load_funding
from seawall.core.machine import commit_spot
from seawall.core.snapshots import dump_spot, load_spot
from seawall.core.spot_state import SpotState
from seawall.model.commands import (
    Command,
    Credit,
    Lead,
    ListAsset,
    RequestTransfer,
    Settle,
    SpotCommand,
)
from seawall.model.events import CommandRejected
from seawall.model.funding_commands import FundingCommand
from seawall.model.funding_events import TransferRequested
from seawall.model.ids import FUNDING, SPOT, AssetCode, Epoch, UserId
from seawall.model.instruments import Asset
from seawall.model.mailbox import Mailbox
from seawall.node.between import disagreements, sight_of_funding, sight_of_spot
from seawall.node.errors import CellsDisagreeError
from seawall.node.node import Node
from seawall.node.relay import proposals
from seawall.node.verify import verify_data

WEALTH = 1_000


class Pair:
    """Both money cells, in memory; every moment can be gone back to."""

    def __init__(self) -> None:
        self.spot, self.funding = SpotState(), FundingState()
        for cell in (SPOT, FUNDING):
            self.play(cell, Lead(epoch=Epoch(1), node="test"))
            # "S" exists in spot only: what is sent of it comes back.
            for code in ("A", "S") if cell == SPOT else ("A",):
                self.play(cell, ListAsset(asset=Asset(code=AssetCode(code), name=code, decimals=0)))
        for code in ("A", "S"):
            self.play(
                SPOT,
                Credit(user_id=UserId(1), asset=AssetCode(code), atoms=WEALTH, reference="start"),
            )

    def play(self, cell: str, command: Command) -> None:
        if cell == SPOT:
            commit_spot(
                self.spot,
                cast(SpotCommand, command),
                sequence=self.spot.sequence + 1,
                at_ns=self.spot.at_ns + 1,
            )
        else:
            commit_funding(
                self.funding,
                cast(FundingCommand, command),
                sequence=self.funding.sequence + 1,
                at_ns=self.funding.at_ns + 1,
            )

    def send(self, source: str, atoms: int, asset: str = "A") -> None:
        target = FUNDING if source == SPOT else SPOT
        self.play(
            source,
            RequestTransfer(user_id=UserId(1), target=target, asset=AssetCode(asset), atoms=atoms),
        )

    @property
    def boxes(self) -> dict[str, Mailbox]:
        return {FUNDING: self.funding.book.mailbox, SPOT: self.spot.mailbox}

    def relay(self, most: int) -> None:
        """Let a few messages move one step."""
        for proposal in proposals(self.boxes)[:most]:
            self.play(proposal.cell, proposal.command)

    def copy(self) -> tuple[bytes, bytes]:
        return dump_funding(self.funding), dump_spot(self.spot)

    @classmethod
    def of(cls, funding: bytes, spot: bytes) -> "Pair":
        pair = cls()
        pair.funding, pair.spot = load_funding(funding), load_spot(spot)
        return pair

    def problems(self) -> list[str]:
        """Return what a start would refuse."""
        funding, spot = sight_of_funding(self.funding), sight_of_spot(self.spot)
        return [*disagreements(funding, spot), *disagreements(spot, funding)]

    def owned(self, asset: str) -> int:
        """Return the user's money once nothing is under way any more."""
        while found := proposals(self.boxes):
            for proposal in found:
                self.play(proposal.cell, proposal.command)
        assert not any(
            box.waiting for each in self.boxes.values() for box in each.outboxes.values()
        )
        return self.spot.ledger.free(1, asset) + self.funding.ledger.free(1, asset)


steps = st.one_of(
    st.tuples(st.sampled_from([SPOT, FUNDING]), st.integers(1, 400), st.sampled_from("AAS")),
    st.integers(1, 4),
)


@given(st.lists(steps, min_size=1, max_size=25), st.data())
@settings(max_examples=150, deadline=None)
def test_what_passes_the_check_adds_up(
    played: list[tuple[str, int, str] | int], data: st.DataObject
) -> None:
    pair = Pair()
    moments = [pair.copy()]
    for step in played:
        if isinstance(step, int):
            pair.relay(step)
        else:
            pair.send(*step)
        moments.append(pair.copy())
    first = data.draw(st.integers(0, len(moments) - 1))
    second = data.draw(st.integers(first, len(moments) - 1))
    assert Pair.of(*moments[first]).problems() == []
    # Read one after the other, as a running exchange is: no false alarm.
    early, late = Pair.of(*moments[first]), Pair.of(*moments[second])
    assert disagreements(sight_of_funding(early.funding), sight_of_spot(late.spot)) == []
    assert disagreements(sight_of_spot(early.spot), sight_of_funding(late.funding)) == []
    # Put together from two moments: refused, or not a single atom more or less.
    for mixed in (
        Pair.of(moments[first][0], moments[second][1]),
        Pair.of(moments[second][0], moments[first][1]),
    ):
        if not mixed.problems():
            assert mixed.owned("A") == WEALTH
            assert mixed.owned("S") == WEALTH


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda pair: pair.play(FUNDING, Settle(target=SPOT, number=1)),
            "funding closed message 1 to spot, which never took it",
        ),
        (
            lambda pair: pair.play(SPOT, Settle(target=FUNDING, number=1, refusal="no")),
            "spot closed message 1 to funding, which never took it",
        ),
    ],
)
def test_what_nobody_took_cannot_be_closed(change: Callable[[Pair], None], told: str) -> None:
    pair = Pair()
    pair.send(SPOT, 7)
    pair.send(SPOT, 8)
    pair.relay(9)
    pair.send(FUNDING, 5)
    if told.startswith("spot"):
        pair = Pair()
        pair.send(SPOT, 7)
    change(pair)
    assert pair.problems() == [told]


def test_an_end_that_the_target_contradicts_is_told() -> None:
    pair = Pair()
    pair.send(SPOT, 7)
    pair.relay(1)
    pair.play(SPOT, Settle(target=FUNDING, number=1, refusal="no"))
    assert "spot has message 1 as returned, funding took it" in pair.problems()
    pair = Pair()
    pair.send(SPOT, 7, "S")
    pair.relay(1)
    pair.play(SPOT, Settle(target=FUNDING, number=1))
    assert "spot has message 1 as confirmed, funding refused it" in pair.problems()


def test_another_amount_under_the_same_number_is_told() -> None:
    """The source was put back, and sent something else under a number that was taken before."""
    pair = Pair()
    before = pair.copy()
    pair.send(SPOT, 7)
    pair.relay(1)
    other = Pair.of(before[0], before[1])
    other.send(SPOT, 6)
    mixed = Pair.of(pair.copy()[0], other.copy()[1])
    assert mixed.problems() == [
        "funding has -7 atoms of A between itself and spot; their messages make -6"
    ]


def test_an_asset_counts_the_same_atoms_everywhere() -> None:
    pair = Pair()
    asset = Asset(code=AssetCode("S"), name="S", decimals=3)
    pair.play(FUNDING, ListAsset(asset=asset))
    assert pair.problems()[0] == "S has 3 decimals in funding, 0 in spot"


# On real journals


async def _opened(data: Path) -> Node:
    node = await open_node(data)
    await set_up(node)
    for code in ("BTC", "USDT"):
        asset = Asset(code=AssetCode(code), name=code, decimals=8)
        await node.submit_funding(ListAsset(asset=asset))
    return node


async def _transfer(node: Node, source: str, atoms: int) -> None:
    submit = node.submit_spot if source == SPOT else node.submit_funding
    target = FUNDING if source == SPOT else SPOT
    command = RequestTransfer(user_id=UserId(1), target=target, asset=AssetCode("BTC"), atoms=atoms)
    event = (await submit(command)).events[0]
    assert not isinstance(event, CommandRejected)
    assert isinstance(event, TransferRequested)
    assert await node.relay.settled(source, event.transfer, 20)


async def _two_moments(tmp_path: Path) -> tuple[Path, Path]:
    """Return a data directory, and the journals as they were before its last transfers."""
    data, old = tmp_path / "data", tmp_path / "old"
    node = await _opened(data)
    await _transfer(node, SPOT, 9 * COIN)
    await node.close()
    shutil.copytree(data / "journal", old)
    node = await open_node(data)
    await _transfer(node, SPOT, COIN)
    await _transfer(node, FUNDING, 3 * COIN)
    await node.close()
    assert (await verify_data(data)).ok
    return data, old


def _put_back(data: Path, old: Path, cell: str) -> None:
    for path in (data / "journal").glob(f"{cell}.*"):
        path.unlink()
    for path in old.glob(f"{cell}.*"):
        shutil.copy(path, data / "journal" / path.name)
    shutil.rmtree(data / "views", ignore_errors=True)


@pytest.mark.parametrize(
    ("cell", "other", "told"),
    [
        (
            FUNDING,
            SPOT,
            [
                "spot took 1 messages of funding, which has sent 0",
                "spot closed message 2 to funding, which never took it",
            ],
        ),
        (
            SPOT,
            FUNDING,
            [
                "funding took 2 messages of spot, which has sent 1",
                "funding closed message 1 to spot, which never took it",
            ],
        ),
    ],
)
async def test_a_journal_that_was_put_back_alone_starts_nothing(
    tmp_path: Path, cell: str, other: str, told: list[str]
) -> None:
    data, old = await _two_moments(tmp_path)
    _put_back(data, old, cell)
    before = {path.name: path.read_bytes() for path in (data / "journal").glob("*.sqlite")}
    with pytest.raises(CellsDisagreeError, match="from one moment") as caught:
        await open_node(data)
    assert all(problem in str(caught.value) for problem in told)
    after = {path.name: path.read_bytes() for path in (data / "journal").glob("*.sqlite")}
    assert after == before, "nothing was written"
    report = await verify_data(data)
    found = {each.cell: [p for p in each.problems if "views" not in p] for each in report.cells}
    assert found[cell] == told, "the one that lacks what the other knows is named"
    assert found[other] == []
    assert not report.ok


async def test_journals_put_back_together_start(tmp_path: Path) -> None:
    data, old = await _two_moments(tmp_path)
    for cell in ("identity", FUNDING, SPOT):
        _put_back(data, old, cell)
    node = await open_node(data)
    assert node.funding.ledger.free(1, "BTC") == 9 * COIN
    await node.close()
    assert (await verify_data(data)).ok


async def test_a_funding_journal_that_is_gone_starts_nothing(tmp_path: Path) -> None:
    data, _ = await _two_moments(tmp_path)
    for folder in ("journal", "snapshots"):
        for path in (data / folder).glob("funding*"):
            path.unlink()
    report = await verify_data(data)
    assert [cell.cell for cell in report.cells if not cell.ok] == [SPOT]
    assert "spot closed message 1 to funding, which never took it" in report.cells[1].problems
    with pytest.raises(CellsDisagreeError, match="spot closed message 1 to funding"):
        await open_node(data)
