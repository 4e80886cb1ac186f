"""The enactor: late, repeated and lost proposals still lead to what control ordered last."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.exchange import BTCUSDT
from tests.gateway.money import ETHER, NETWORK, listing

from seawall.core.control.posture import order_posture
from seawall.core.control.ways import WAYS, Way
from seawall.model.commands import Command, Lead, ListAsset, ListMarket, SetMarketStatus
from seawall.model.control_commands import DefineServices, ObservePosture
from seawall.model.control_rows import Limits, ServiceRow
from seawall.model.events import CommandRejected, Event
from seawall.model.funding import Service, ServiceStatus
from seawall.model.funding_commands import GrantLease, ListNetwork, OfferAsset, SetService
from seawall.model.ids import CELLS, CONTROL, FUNDING, IDENTITY, SPOT, AssetCode, Epoch, Symbol
from seawall.model.instruments import Asset
from seawall.model.posture import TRANSFERS, Posture, service_kind
from seawall.model.trading import MarketStatus
from seawall.node.cell import empty_cell
from seawall.node.enactor import Proposal, proposals
from seawall.views.standings import standings

MARKET = "market/BTCUSDT"
WITHDRAWAL = "withdrawal/ETH/ETH"
DEPOSIT = "deposit/ETH/ETH"
SERVICES = (MARKET, WITHDRAWAL, DEPOSIT, TRANSFERS)


class Exchange:
    """The three cells that incident control is about, with a journal time of their own."""

    def __init__(self) -> None:
        self.cells = {name: empty_cell(name) for name in CELLS if name != IDENTITY}
        for name in self.cells:
            self.play(name, Lead(epoch=Epoch(1), node="one"))
        for code in ("BTC", "USDT"):
            self.play(SPOT, ListAsset(asset=Asset(code=AssetCode(code), name=code, decimals=8)))
        self.play(SPOT, ListMarket(instrument=BTCUSDT))
        eth = Asset(code=AssetCode("ETH"), name="Ether", decimals=18)
        self.play(FUNDING, ListAsset(asset=eth))
        self.play(FUNDING, ListNetwork(network=NETWORK))
        self.play(FUNDING, OfferAsset(listing=listing("ETH", 18, "", ETHER)))

    @property
    def control(self) -> Any:
        return self.cells[CONTROL].state

    def play(self, name: str, command: Command) -> list[Event]:
        cell = self.cells[name]
        sequence = cell.state.sequence + 1
        record = cell.decode(cell.encode(command, 1_000 + sequence))
        return cell.commit(record, sequence)

    def due(self) -> list[Proposal]:
        spot, funding = self.cells[SPOT].state, self.cells[FUNDING].state
        return proposals(self.control.book, spot, funding)

    def carry(self, proposal: Proposal) -> bool:
        """Return whether it was taken."""
        events = self.play(proposal.cell, proposal.command)
        return not any(isinstance(event, CommandRejected) for event in events)

    def settle(self) -> None:
        """Carry what is due until nothing is; everything settles in a few rounds."""
        for _ in range(6):
            found = self.due()
            if not found:
                return
            for proposal in found:
                self.carry(proposal)
        pytest.fail(f"never settles: {self.due()}")

    def stands(self) -> dict[str, list[tuple[Posture, int]]]:
        spot, funding = self.cells[SPOT].state, self.cells[FUNDING].state
        return {
            name: [(each.posture, each.order) for each in found]
            for name, found in standings(spot, funding).items()
        }

    def order(self, service: str, posture: Posture, **terms: Any) -> None:
        order_posture(self.control, self.row(service), posture, reason="ordered", **terms)

    def row(self, service: str) -> ServiceRow:
        row: ServiceRow = self.control.book.services[service]
        return row


def _ways(row: ServiceRow) -> list[Posture]:
    ways = WAYS[service_kind(row.service)]
    return [to for (now, to), way in ways.items() if now is row.posture and way is not Way.PERSON]


def test_control_learns_of_every_service_and_then_nothing_is_due() -> None:
    exchange = Exchange()
    (proposal,) = exchange.due()
    assert isinstance(proposal.command, DefineServices)
    assert set(proposal.command.services) == {*SERVICES, "sign_in"}
    exchange.settle()
    assert exchange.row(MARKET).posture is Posture.OPEN


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_late_and_repeated_proposals_lead_to_the_last_order(data: st.DataObject) -> None:
    exchange = Exchange()
    exchange.settle()
    known: list[Proposal] = []
    for _ in range(data.draw(st.integers(1, 40))):
        step = data.draw(st.sampled_from(["order", "look", "carry", "carry", "carry"]))
        if step == "order":
            row = exchange.row(data.draw(st.sampled_from(SERVICES)))
            limits = Limits(per_withdrawal=data.draw(st.integers(1, 9)))
            exchange.order(row.service, data.draw(st.sampled_from(_ways(row))), limits=limits)
        elif step == "look":
            known += [each for each in exchange.due() if each not in known]
        elif known:
            before = exchange.stands()
            exchange.carry(data.draw(st.sampled_from(known)))
            for name, found in exchange.stands().items():
                for (_, was), (posture, order) in zip(before[name], found, strict=True):
                    assert order >= was, "no order is undone by an older one"
                    if order == exchange.row(name).order > 0:
                        assert posture is exchange.row(name).posture
    exchange.settle()
    for name, found in exchange.stands().items():
        row = exchange.row(name)
        assert all(each == (row.posture, row.order) for each in found)
    for late in known:
        exchange.carry(late)
    for name, found in exchange.stands().items():
        assert all(each[0] is exchange.row(name).posture for each in found)


@pytest.mark.parametrize("start", list(MarketStatus))
@pytest.mark.parametrize("wanted", [Posture(status.value) for status in MarketStatus])
def test_a_market_gets_from_wherever_people_left_it_to_what_is_ordered(
    start: MarketStatus, wanted: Posture
) -> None:
    exchange = Exchange()
    exchange.settle()
    if start is not MarketStatus.OPEN:
        by_person = SetMarketStatus(symbol=Symbol("BTCUSDT"), status=start, reason="by hand")
        exchange.play(SPOT, by_person)
    row = exchange.row(MARKET)
    row.posture, row.order = wanted, 7
    seen = []
    for _ in range(3):
        for proposal in exchange.due():
            assert exchange.carry(proposal), proposal
            seen.append(exchange.stands()[MARKET][0][0])
    assert exchange.stands()[MARKET] == [(wanted, 7)]
    assert Posture.OPEN not in seen[:-1], "nothing opens on the way"


def test_what_people_did_is_told_once_and_a_later_order_outranks_it() -> None:
    exchange = Exchange()
    exchange.settle()
    pause = SetService(
        asset=AssetCode("ETH"),
        network="ETH",
        service=Service.WITHDRAWAL,
        status=ServiceStatus.PAUSED,
        reason="an odd payment",
        person="maria",
    )
    exchange.play(FUNDING, pause)
    (told,) = exchange.due()
    assert isinstance(told.command, ObservePosture)
    assert (told.command.by, told.command.posture) == ("maria", Posture.PAUSED)
    # Control orders something before it hears of it: what it hears then is of the past.
    exchange.order(WITHDRAWAL, Posture.LIMITED, limits=Limits(per_withdrawal=5))
    assert not exchange.carry(told)
    exchange.settle()
    assert exchange.stands()[WITHDRAWAL] == [(Posture.LIMITED, exchange.row(WITHDRAWAL).order)]


def test_a_person_who_opens_a_market_is_believed() -> None:
    exchange = Exchange()
    exchange.settle()
    exchange.order(MARKET, Posture.CANCEL_ONLY)
    exchange.settle()
    by_hand = SetMarketStatus(symbol=Symbol("BTCUSDT"), status=MarketStatus.OPEN, reason="by hand")
    exchange.play(SPOT, by_hand)
    exchange.settle()
    assert exchange.row(MARKET).posture is Posture.OPEN


def test_a_lease_is_handed_on_and_an_older_one_changes_nothing() -> None:
    exchange = Exchange()
    exchange.settle()
    lease, funding = exchange.control.book.lease, exchange.cells[FUNDING].state
    lease.number, lease.until_ns = 3, 4_000_000_000
    (granted,) = exchange.due()
    assert isinstance(granted.command, GrantLease)
    assert exchange.carry(granted)
    lease.number, lease.until_ns = 4, 4_100_000_000
    assert not exchange.due(), "not with each of control's entries"
    lease.number, lease.until_ns = 5, 4_800_000_000
    exchange.settle()
    exchange.carry(granted)
    assert funding.book.lease_until_ns == 4_800_000_000
