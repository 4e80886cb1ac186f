"""Messages between cells: whatever crashes, repeats or is lost, it arrives once or comes back."""

import asyncio
import shutil
from pathlib import Path
from typing import cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.node.market import COIN, open_node, set_up
from tests.node.market import settings as node_settings

from seawall.core.funding import commit_funding
from seawall.core.funding_invariants import check_funding
from seawall.core.funding_state import FundingState, dump_funding, load_funding
from seawall.core.invariants import check_spot
from seawall.core.machine import commit_spot
from seawall.core.snapshots import dump_spot, load_spot
from seawall.core.spot_state import SpotState
from seawall.model.commands import (
    Command,
    Credit,
    Deliver,
    Lead,
    ListAsset,
    RequestTransfer,
    Settle,
    SpotCommand,
)
from seawall.model.events import Event
from seawall.model.funding import TransferState
from seawall.model.funding_commands import FundingCommand
from seawall.model.funding_events import TransferRequested
from seawall.model.ids import CELLS, CONTROL, FUNDING, SPOT, AssetCode, Epoch, UserId
from seawall.model.instruments import Asset
from seawall.model.mailbox import Mailbox, Transfer
from seawall.node.clock import ManualClock
from seawall.node.node import Node, NodeSettings
from seawall.node.relay import Proposal, proposals
from seawall.node.verify import verify_data

WEALTH = 1_000
USERS = (1, 2, 3)
users = st.sampled_from(USERS)


class BetweenTheCells(RuleBasedStateMachine):
    """Two cells, and a relay of which any part may be late, double, lost or dead."""

    @initialize()
    def open(self) -> None:
        self.spot = SpotState()
        self.funding = FundingState()
        self.under_way: list[Proposal] = []
        self.asked: dict[str, tuple[int, str]] = {}
        for cell in (SPOT, FUNDING):
            self.play(cell, Lead(epoch=Epoch(1), node="test"))
            # "S" exists in spot only: what is sent of it must come back.
            codes = ("A", "S") if cell == SPOT else ("A",)
            for code in codes:
                self.play(cell, ListAsset(asset=Asset(code=AssetCode(code), name=code, decimals=0)))
        for user in USERS:
            for code in ("A", "S"):
                self.play(
                    SPOT,
                    Credit(
                        user_id=UserId(user), asset=AssetCode(code), atoms=WEALTH, reference="start"
                    ),
                )

    def play(self, cell: str, command: Command) -> list[Event]:
        if cell == SPOT:
            return commit_spot(
                self.spot,
                cast(SpotCommand, command),
                sequence=self.spot.sequence + 1,
                at_ns=self.spot.at_ns + 1,
            )
        return commit_funding(
            self.funding,
            cast(FundingCommand, command),
            sequence=self.funding.sequence + 1,
            at_ns=self.funding.at_ns + 1,
        )

    @property
    def boxes(self) -> dict[str, Mailbox]:
        return {FUNDING: self.funding.book.mailbox, SPOT: self.spot.mailbox}

    @rule(
        user=users,
        source=st.sampled_from([SPOT, FUNDING]),
        asset=st.sampled_from(["A", "A", "S"]),
        atoms=st.integers(0, 500),
        name=st.sampled_from(["", "", "x", "y"]),
    )
    def request(self, user: int, source: str, asset: str, atoms: int, name: str) -> None:
        target = FUNDING if source == SPOT else SPOT
        events = self.play(
            source,
            RequestTransfer(
                user_id=UserId(user),
                target=target,
                asset=AssetCode(asset),
                atoms=atoms,
                client_transfer_id=name,
            ),
        )
        if name and isinstance(events[0], TransferRequested):
            key = f"{source}/{user}/{name}"
            first = self.asked.setdefault(key, (events[0].transfer.transfer_id, source))
            assert first == (events[0].transfer.transfer_id, source), "one id is one transfer"

    @rule()
    def look(self) -> None:
        self.under_way += proposals(self.boxes)

    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        """Commit any proposal under way, early or late; it may stay, to arrive again."""
        if self.under_way:
            index = data.draw(st.integers(0, len(self.under_way) - 1))
            proposal = self.under_way[index]
            self.play(proposal.cell, proposal.command)
            if data.draw(st.booleans()):
                del self.under_way[index]

    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """Lose the relay and all that was under way; the cells come back from their snapshots."""
        self.under_way = []
        if data.draw(st.booleans()):
            self.spot = load_spot(dump_spot(self.spot))
            self.funding = load_funding(dump_funding(self.funding))

    @invariant()
    def everything_holds(self) -> None:
        check_spot(self.spot)
        check_funding(self.funding)

    def held_by(self, user: int, asset: str) -> int:
        return self.spot.ledger.free(user, asset) + self.funding.ledger.free(user, asset)

    @invariant()
    def money_is_with_its_owner_or_under_way(self) -> None:
        for user in USERS:
            for asset in ("A", "S"):
                waiting = 0
                for source, box in self.boxes.items():
                    for target, outbox in box.outboxes.items():
                        inbox = self.boxes[target].inboxes.get(source)
                        for number, message in outbox.waiting.items():
                            taken = inbox is not None and number < inbox.next_number
                            refused = inbox is not None and number in inbox.refusals
                            mine = (message.user_id, message.asset) == (user, asset)
                            waiting += message.atoms if mine and (refused or not taken) else 0
                assert self.held_by(user, asset) + waiting == WEALTH

    def teardown(self) -> None:
        """Left in peace, the relay comes to an end: all is confirmed or returned, and adds up."""
        if not hasattr(self, "spot"):
            return
        while found := proposals(self.boxes):
            for proposal in found:
                self.play(proposal.cell, proposal.command)
        for box in self.boxes.values():
            for transfer in box.transfers.values():
                wanted = (
                    TransferState.RETURNED if transfer.asset == "S" else TransferState.CONFIRMED
                )
                assert transfer.state is wanted
        for user in USERS:
            assert self.held_by(user, "A") == WEALTH
            assert self.spot.ledger.free(user, "S") == WEALTH
        self.everything_holds()


TestBetweenTheCells = BetweenTheCells.TestCase
TestBetweenTheCells.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


async def _with_assets(node: Node) -> None:
    await set_up(node)
    for code in ("BTC", "USDT"):
        await node.submit_funding(
            ListAsset(asset=Asset(code=AssetCode(code), name=code, decimals=8))
        )


def _request(atoms: int, name: str = "", asset: str = "BTC") -> RequestTransfer:
    return RequestTransfer(
        user_id=UserId(1),
        target=FUNDING,
        asset=AssetCode(asset),
        atoms=atoms,
        client_transfer_id=name,
    )


async def _sent(node: Node, command: RequestTransfer) -> Transfer:
    event = (await node.submit_spot(command)).events[0]
    assert isinstance(event, TransferRequested)
    return event.transfer


async def test_a_node_carries_transfers_both_ways(tmp_path: Path) -> None:
    node = await open_node(tmp_path)
    await _with_assets(node)
    sent = [await _sent(node, _request(COIN, f"t{number}")) for number in range(300)]
    for transfer in sent:
        assert await node.relay.settled(SPOT, transfer, 20)
    assert node.funding.ledger.free(1, "BTC") == 300 * COIN
    back = await node.submit_funding(
        RequestTransfer(user_id=UserId(1), target=SPOT, asset=AssetCode("BTC"), atoms=7)
    )
    assert isinstance(back.events[0], TransferRequested)
    assert await node.relay.settled(FUNDING, back.events[0].transfer, 20)
    assert node.spot.ledger.free(1, "BTC") == 10**6 * COIN - 300 * COIN + 7
    again = await _sent(node, _request(COIN, "t0"))
    assert again.transfer_id == sent[0].transfer_id
    assert node.funding.ledger.free(1, "BTC") == 300 * COIN - 7
    await node.close()
    report = await verify_data(tmp_path)
    assert report.ok, report
    assert [cell.cell for cell in report.cells] == list(CELLS)


async def test_what_waited_at_a_stop_is_carried_after_the_start(tmp_path: Path) -> None:
    silent = NodeSettings(data=tmp_path, ticks=False, relay=False)
    node = await Node.open(silent, ManualClock(1))
    await _with_assets(node)
    known = await _sent(node, _request(COIN))
    # Its message is taken, its end not yet known: only half of the way was gone.
    (found,) = proposals({FUNDING: node.funding.book.mailbox, SPOT: node.spot.mailbox})
    assert isinstance(found.command, Deliver)
    await node.submit_funding(found.command)
    unknown = await _sent(node, _request(5))
    assert not await node.relay.settled(SPOT, known, 0.01)
    await node.close()

    node = await Node.open(node_settings(tmp_path), ManualClock(1))
    for transfer in (known, unknown):
        here = node.spot.mailbox.transfers[transfer.transfer_id]
        assert await node.relay.settled(SPOT, here, 20)
        assert here.state is TransferState.CONFIRMED
    assert node.funding.ledger.free(1, "BTC") == COIN + 5
    await node.close()


async def test_what_the_target_refuses_comes_back(tmp_path: Path) -> None:
    node = await open_node(tmp_path)
    await set_up(node)
    transfer = await _sent(node, _request(COIN))
    assert await node.relay.settled(SPOT, transfer, 20)
    assert (transfer.state, transfer.reason) == (TransferState.RETURNED, "unknown_asset")
    assert node.spot.ledger.free(1, "BTC") == 10**6 * COIN
    await node.close()


async def test_data_of_a_release_without_later_cells_starts(tmp_path: Path) -> None:
    node = await open_node(tmp_path)
    await set_up(node)
    await node.close()
    for later in (CONTROL, FUNDING):
        for folder in ("journal", "snapshots"):
            for path in (tmp_path / folder).glob(f"{later}*"):
                path.unlink()
        known = [cell.cell for cell in (await verify_data(tmp_path)).cells]
        assert known == [cell for cell in CELLS if cell not in (later, CONTROL)]
    node = await open_node(tmp_path)
    assert (node.control.epoch, node.funding.epoch, node.spot.epoch) == (1, 1, 2)
    await node.close()
    assert (await verify_data(tmp_path)).ok


async def test_a_spot_journal_from_before_its_transfers_is_told(tmp_path: Path) -> None:
    """Whoever puts an older journal back loses money between the cells; `verify` says so."""
    old = tmp_path / "old"
    node = await open_node(tmp_path)
    await _with_assets(node)
    await node.close()
    shutil.copytree(tmp_path / "journal", old)
    shutil.copytree(tmp_path / "views", tmp_path / "old-views")
    node = await open_node(tmp_path)
    transfer = await _sent(node, _request(COIN))
    assert await node.relay.settled(SPOT, transfer, 20)
    await node.close()
    assert (await verify_data(tmp_path)).ok
    for path in (tmp_path / "journal").glob("spot.*"):
        path.unlink()
    for path in old.glob("spot.*"):
        shutil.copy(path, tmp_path / "journal" / path.name)
    shutil.rmtree(tmp_path / "views")
    (tmp_path / "old-views").rename(tmp_path / "views")
    report = await verify_data(tmp_path)
    assert [cell.ok for cell in report.cells] == [True, True, False, True]
    assert report.cells[2].problems == ["funding took 1 messages of spot, which has sent 0"]


def test_a_hole_that_no_repetition_can_mend_is_left_alone() -> None:
    play = BetweenTheCells()
    play.open()
    for _ in range(2):
        play.play(SPOT, _request(1, asset="A"))
    play.play(SPOT, Settle(target=FUNDING, number=1))
    assert not proposals(play.boxes), "the target never had the first one: nothing may follow it"


@pytest.mark.parametrize("bad", [0, -1])
async def test_house_accounts_cannot_be_emptied(tmp_path: Path, bad: int) -> None:
    node = await open_node(tmp_path)
    await _with_assets(node)
    command = RequestTransfer(user_id=UserId(bad), target=FUNDING, asset=AssetCode("BTC"), atoms=1)
    answer = (await node.submit_spot(command)).answer
    assert answer is not None
    await asyncio.wait_for(node.close(), 60)
