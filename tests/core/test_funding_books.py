"""Stories of deposits, the exchange's own wallets, reconciliation, set-up and messages."""

import pytest
from msgspec.structs import replace
from tests.core.funding_desk import (
    COIN,
    ETH,
    FINALITY,
    NETWORK,
    TOKEN,
    USDT,
    FundingDesk,
)

from seawall.model import funding_commands as f
from seawall.model.commands import Deliver, ListAsset, RequestTransfer, Settle
from seawall.model.events import CommandRepeated
from seawall.model.funding import (
    DepositState,
    Listing,
    Service,
    ServiceStatus,
    Vault,
    VaultMoveState,
)
from seawall.model.funding_events import Reconciled, ServiceChanged
from seawall.model.ids import AssetCode, UserId
from seawall.model.instruments import Asset
from seawall.model.messages import MoveFunds

NEW = replace(NETWORK, code="N")


@pytest.fixture
def desk() -> FundingDesk:
    return FundingDesk()


# Deposits


def see(desk: FundingDesk, tx: str, atoms: int, *, block: str = "b1", asset: str = "ETH") -> str:
    return desk.do(
        f.SeeDeposit(
            network="NET",
            tx_id=tx,
            output=0,
            address="own",
            asset=AssetCode(asset),
            atoms=atoms,
            block=1,
            block_id=block,
            contract="" if asset == "ETH" else "odd",
        )
    )


def confirm(desk: FundingDesk, tx: str, depth: int, *, block: str = "b1") -> str:
    return desk.do(
        f.ConfirmDeposit(network="NET", tx_id=tx, output=0, block_id=block, confirmations=depth)
    )


def test_a_deposit_is_credited_once_at_finality(desk: FundingDesk) -> None:
    opened = f.OpenDepositAddress(user_id=UserId(2), network="NET", index=0, address="own")
    assert see(desk, "t", 50) == "address_invalid"
    assert desk.do(replace(opened, index=1)) == "index_taken"
    assert desk.do(replace(opened, network="no")) == "unknown_network"
    assert desk.do(opened) == ""
    assert desk.do(opened) == ""
    assert desk.do(replace(opened, user_id=UserId(3), index=1)) == "index_taken"
    assert confirm(desk, "t", 9) == "unknown_deposit"
    assert see(desk, "t", 0) == "below_minimum"
    assert see(desk, "t", 50) == ""
    assert see(desk, "t", 51) == "reference_reused"
    assert confirm(desk, "t", FINALITY - 1) == ""
    assert desk.free(2) == 0
    assert confirm(desk, "t", FINALITY - 2) == "wrong_state"
    assert confirm(desk, "t", FINALITY, block="b2") == "wrong_state"
    assert see(desk, "t", 50, block="b2") == "", "a reorganisation moved it"
    assert confirm(desk, "t", FINALITY, block="b2") == ""
    assert confirm(desk, "t", FINALITY + 1, block="b2") == ""
    assert desk.free(2) == 50
    gone = f.RevertDeposit(network="NET", tx_id="t", output=0, reason="reorganised")
    assert desk.do(gone) == "wrong_state", "final is final; reconciliation finds what is missing"
    assert see(desk, "t", 50, block="b3") == ""
    assert desk.free(2) == 50


def test_reverted_dust_and_unknown_tokens_are_never_credited(desk: FundingDesk) -> None:
    desk.do(f.OpenDepositAddress(user_id=UserId(2), network="NET", index=0, address="own"))
    assert see(desk, "dust", 9) == ""
    assert see(desk, "odd", 900, asset="") == ""
    assert see(desk, "lost", 90) == ""
    gone = f.RevertDeposit(network="NET", tx_id="lost", output=0, reason="reorganised")
    assert desk.do(replace(gone, tx_id="?")) == "unknown_deposit"
    assert desk.do(gone) == ""
    assert desk.do(gone) == ""
    for tx in ("dust", "odd", "lost"):
        assert confirm(desk, tx, FINALITY) == ""
    assert desk.free(2) == 0
    assert see(desk, "lost", 90, block="b9") == "", "it came back"
    assert confirm(desk, "lost", FINALITY, block="b9") == ""
    assert desk.free(2) == 90


def test_paused_deposits_wait_and_are_credited_later(desk: FundingDesk) -> None:
    desk.do(f.OpenDepositAddress(user_id=UserId(2), network="NET", index=0, address="own"))
    pause = f.SetService(
        asset=ETH,
        network="NET",
        service=Service.DEPOSIT,
        status=ServiceStatus.PAUSED,
        reason="upgrade",
    )
    assert desk.do(replace(pause, network="no")) == "unknown_listing"
    assert desk.do(pause) == ""
    assert see(desk, "t", 50) == ""
    assert confirm(desk, "t", FINALITY) == ""
    deposit = desk.state.book.deposits["NET/t/0"]
    assert (deposit.state, deposit.reason) == (DepositState.SEEN, "deposits are paused")
    assert desk.do(replace(pause, status=ServiceStatus.OPEN, reason="done")) == ""
    assert confirm(desk, "t", FINALITY + 1) == ""
    assert desk.free(2) == 50


# Between the exchange's own wallets


def test_moves_are_covered_final_and_once(desk: FundingDesk) -> None:
    assert desk.move("m", 10, target=Vault.HOT) == "invalid_definition"
    assert desk.move("m", 10_001) == "insufficient_balance"
    desk.prepare(desk.asked(1_000), cost=10)
    assert desk.move("m", 9_001) == "insufficient_balance", "990 and 10 are on their way out"
    first = desk.attempt(slot="lane/5", tx="m1")
    assert desk.move("m", 9_000, attempt=first) == ""
    assert desk.move("m", 9_000, attempt=first) == ""
    assert desk.move("m", 8_000, attempt=desk.attempt(slot="lane/5")) == "reference_reused"
    assert desk.move("m", 9_000, attempt=desk.attempt(slot="lane/6")) == "slots_differ"
    assert desk.do(f.MarkMoveBroadcast(move_key="?", tx_id="m1")) == "wrong_state"
    assert desk.do(f.MarkMoveBroadcast(move_key="m", tx_id="m1")) == ""
    end = f.SettleVaultMove(move_key="m", tx_id="m1", confirmations=FINALITY, cost=2)
    assert desk.do(replace(end, move_key="?")) == "wrong_state"
    assert desk.do(replace(end, confirmations=FINALITY - 1)) == "not_final"
    assert desk.do(replace(end, cost=-1)) == "invalid_definition"
    assert desk.do(replace(end, tx_id="other")) == "wrong_state"
    assert desk.do(end) == ""
    assert desk.do(end) == ""
    assert desk.state.held_in("NET", Vault.COLD, ETH) == 9_000
    assert desk.state.held_in("NET", Vault.HOT, ETH) == 10_000 - 9_000 - 2
    assert desk.move("m", 9_000, attempt=desk.attempt(slot="lane/5")) == "wrong_state"


def test_a_move_that_failed_costs_and_moves_nothing(desk: FundingDesk) -> None:
    desk.move("m", 100, attempt=desk.attempt(tx="m1"))
    end = f.SettleVaultMove(
        move_key="m", tx_id="other", confirmations=FINALITY, cost=2, failed=True
    )
    assert desk.do(end) == ""
    assert desk.state.book.moves["m"].state is VaultMoveState.FAILED
    assert desk.state.held_in("NET", Vault.HOT, ETH) == 9_998
    assert desk.listing().reserved == 0


def test_a_top_up_is_booked_once_and_final(desk: FundingDesk) -> None:
    desk.capital(1_000, vault=Vault.COLD)
    desk.capital(500, asset=USDT, vault=Vault.COLD)
    sent = f.RecordTopUp(
        network="NET", asset=ETH, atoms=600, tx_id="t", confirmations=FINALITY, cost=2, person="ann"
    )
    assert desk.do(replace(sent, network="no")) == "unknown_network"
    assert desk.do(replace(sent, asset=AssetCode("NO"))) == "unknown_listing"
    for absurd in ({"atoms": 0}, {"atoms": -5}, {"cost": -1}, {"tx_id": ""}, {"person": ""}):
        assert desk.do(replace(sent, **absurd)) == "invalid_definition"
    assert desk.do(replace(sent, confirmations=FINALITY - 1)) == "not_final"
    assert desk.do(replace(sent, atoms=999)) == "insufficient_balance", "with the cost it is 1001"
    desk.move("own", 5, attempt=desk.attempt(tx="ours"))
    assert desk.do(replace(sent, tx_id="ours")) == "reference_reused", "a pipeline books that"
    assert desk.do(sent) == ""
    assert desk.do(sent) == "", "said again in silence"
    assert desk.do(replace(sent, atoms=601)) == "reference_reused"
    assert desk.state.held_in("NET", Vault.COLD, ETH) == 1_000 - 602
    assert desk.state.held_in("NET", Vault.HOT, ETH) == 10_600
    # The same transaction may bring a token as well; cold storage has no coins for such a charge.
    token = replace(sent, asset=USDT, atoms=500, cost=0)
    assert desk.do(replace(token, cost=399)) == "insufficient_balance"
    assert desk.do(token) == ""
    assert desk.state.held_in("NET", Vault.HOT, USDT) == 10_500
    move = desk.state.book.moves["hand/NET/t/ETH"]
    assert (move.state, move.source, move.target) == (
        VaultMoveState.SETTLED,
        Vault.COLD,
        Vault.HOT,
    )


def test_capital_is_booked_once_by_a_person(desk: FundingDesk) -> None:
    book = f.BookCapital(
        network="NET", asset=ETH, vault=Vault.COLD, atoms=5, reference="x", person="ann"
    )
    assert desk.do(replace(book, network="no")) == "unknown_network"
    assert desk.do(replace(book, asset=AssetCode("NO"))) == "unknown_listing"
    assert desk.do(replace(book, person="")) == "invalid_definition"
    assert desk.do(replace(book, atoms=-1)) == "insufficient_balance"
    assert desk.do(book) == ""
    assert desk.do(book) == "reference_reused"


# Reconciliation


def report(
    block: int, hot: int, *, settled: tuple[int, ...] = (), costs: int = 0, asof: int = 0
) -> f.ReportReconciliation:
    return f.ReportReconciliation(
        network="NET",
        asset=ETH,
        block=block,
        deposit_atoms=0,
        hot_atoms=hot,
        cold_atoms=0,
        settled_withdrawals=settled,
        pending_costs=costs,
        ledger_sequence=asof,
    )


def test_a_difference_of_one_atom_pauses_withdrawals(desk: FundingDesk) -> None:
    assert desk.do(replace(report(5, 1), network="no")) == "unknown_listing"
    assert desk.do(report(5, 10_000)) == ""
    assert desk.listing().withdrawal.status is ServiceStatus.OPEN
    events = desk.play(report(6, 9_999))
    assert isinstance(events[0], Reconciled)
    assert isinstance(events[1], ServiceChanged)
    service = desk.listing().withdrawal
    assert (service.status, service.person) == (ServiceStatus.PAUSED, "reconciliation")
    assert "differ by -1 atoms at block 6" in service.reason
    assert desk.listing(USDT).withdrawal.status is ServiceStatus.OPEN
    assert desk.do(report(5, 10_000)) == "wrong_state", "an older block proves nothing"
    assert desk.do(report(7, 10_000)) == ""
    assert desk.listing().withdrawal.status is ServiceStatus.PAUSED, "a person opens again"
    desk.turn(ServiceStatus.OPEN, reason="found it")
    desk.turn(ServiceStatus.LIMITED, reason="carefully")
    desk.do(report(8, 10_001))
    assert desk.listing().withdrawal.status is ServiceStatus.PAUSED


def test_what_is_on_its_way_is_counted(desk: FundingDesk) -> None:
    paid, queued, returned = desk.asked(100), desk.asked(100), desk.asked(100)
    desk.prepare(paid, tx="a")
    assert desk.do(report(5, 10_000)) == ""
    assert desk.do(report(6, 10_000 - 90 - 3, settled=(paid, paid), costs=3)) == ""
    assert desk.listing().difference == 0
    desk.settle(paid, "a", cost=3)
    assert desk.do(report(7, 10_000 - 90 - 3, settled=(paid,))) == ""
    assert desk.listing().difference == 0
    assert desk.do(report(8, 9_907, settled=(99,))) == "unknown_withdrawal"
    token = desk.asked(100, asset=USDT)
    assert desk.do(report(8, 9_907, settled=(token,))) == "invalid_definition"
    desk.prepare(queued, tx="b")
    desk.give_back(queued, "x", cost=0)
    # Returned and yet paid on chain: money left twice, and nothing may explain that away.
    assert desk.do(report(9, 9_907 - 90, settled=(queued, returned))) == ""
    assert desk.listing().difference == -90
    assert desk.listing().withdrawal.status is ServiceStatus.PAUSED


def test_figures_taken_beside_an_older_ledger_prove_nothing(desk: FundingDesk) -> None:
    asof = desk.state.sequence
    desk.asked(100)
    assert desk.do(report(5, 10_000, asof=asof)) == "", "no vault changed since"
    desk.capital(7)
    assert desk.do(report(6, 10_000, asof=asof)) == "wrong_state"
    assert desk.do(report(6, 10_007, asof=desk.state.sequence)) == ""
    assert desk.listing().difference == 0


def test_what_people_moved_out_of_cold_storage_shows(desk: FundingDesk) -> None:
    desk.capital(1_000, vault=Vault.COLD)
    plain = replace(report(5, 10_000), cold_atoms=1_000)
    assert desk.do(plain) == ""
    assert (desk.listing().difference, desk.listing().cold_difference) == (0, 0)
    # To cold, by the pipeline: on chain, not final yet.
    desk.move("m", 100, attempt=desk.attempt(tx="m1"))
    on_chain = replace(plain, hot_atoms=9_897, cold_atoms=1_100, pending_costs=3)
    assert desk.do(replace(on_chain, block=6, settled_moves=("m", "m"))) == ""
    assert (desk.listing().difference, desk.listing().cold_difference) == (0, 0)
    desk.do(f.SettleVaultMove(move_key="m", tx_id="m1", confirmations=FINALITY, cost=3))
    # From cold, by hand: the sum is right, but the hot wallet has more than the ledger knows.
    by_hand = replace(on_chain, hot_atoms=10_297, cold_atoms=700, pending_costs=0)
    assert desk.do(replace(by_hand, block=7, settled_moves=("m",))) == ""
    assert (desk.listing().difference, desk.listing().cold_difference) == (0, -400)
    top_up = f.RecordTopUp(
        network="NET", asset=ETH, atoms=400, tx_id="t", confirmations=FINALITY, cost=0, person="ann"
    )
    assert desk.do(top_up) == ""
    assert desk.do(replace(by_hand, block=8)) == ""
    assert (desk.listing().difference, desk.listing().cold_difference) == (0, 0)
    assert desk.listing().withdrawal.status is ServiceStatus.OPEN


# Set-up and messages


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (ListAsset(asset=Asset(code=ETH, name="again", decimals=2)), "already_exists"),
        (ListAsset(asset=Asset(code=AssetCode("X"), name="x", decimals=37)), "invalid_definition"),
        (f.ListNetwork(network=NETWORK), "already_exists"),
        (
            f.ListNetwork(network=replace(NEW, native=AssetCode("NO"))),
            "unknown_asset",
        ),
        (f.ListNetwork(network=replace(NEW, finality=0)), "invalid_definition"),
        (
            f.ListNetwork(network=replace(NEW, native_decimals=3)),
            "invalid_definition",
        ),
        (f.OfferAsset(listing=replace(COIN, asset=AssetCode("NO"))), "unknown_asset"),
        (f.OfferAsset(listing=replace(COIN, network="no")), "unknown_network"),
        (f.OfferAsset(listing=replace(COIN, contract="c")), "invalid_definition"),
        (f.OfferAsset(listing=replace(COIN, chain_decimals=1)), "invalid_definition"),
        (f.OfferAsset(listing=replace(TOKEN, contract="")), "invalid_definition"),
        (f.OfferAsset(listing=replace(TOKEN, contract="other")), "invalid_definition"),
        (f.OfferAsset(listing=replace(TOKEN, chain_decimals=3)), "invalid_definition"),
        (f.OfferAsset(listing=replace(TOKEN, withdrawal_fee=20)), "invalid_definition"),
        (f.OfferAsset(listing=replace(TOKEN, withdrawal_fee=5)), "invalid_definition"),
        (f.OfferAsset(listing=replace(TOKEN, limited_max=-1)), "invalid_definition"),
        (f.SetDailyLimit(tier=0, asset=AssetCode("NO"), atoms=1), "unknown_asset"),
        (f.SetDailyLimit(tier=0, asset=ETH, atoms=-1), "invalid_definition"),
        (f.SetFundingTier(user_id=UserId(1), tier=-1), "unknown_tier"),
        (f.SetAddressWait(wait_ms=-1), "invalid_definition"),
        (f.ListNetwork(network=replace(NEW, code="N/ET")), "invalid_definition"),
        (
            ListAsset(asset=Asset(code=AssetCode("E/H"), name="", decimals=2)),
            "invalid_definition",
        ),
    ],
)
def test_set_up_that_is_refused(desk: FundingDesk, command: f.FundingCommand, reason: str) -> None:
    assert desk.do(command) == reason


def test_one_contract_is_one_asset(desk: FundingDesk) -> None:
    desk.do(ListAsset(asset=Asset(code=AssetCode("FAKE"), name="fake", decimals=2)))
    fake: Listing = replace(TOKEN, asset=AssetCode("FAKE"))
    assert desk.do(f.OfferAsset(listing=fake)) == "invalid_definition"
    assert desk.do(f.OfferAsset(listing=replace(fake, contract="fake"))) == ""
    assert desk.do(f.OfferAsset(listing=replace(TOKEN, min_withdrawal=50))) == "", "terms change"


def test_transfers_leave_once_and_come_back_if_refused(desk: FundingDesk) -> None:
    ask = RequestTransfer(
        user_id=UserId(1), target="spot", asset=ETH, atoms=100, client_transfer_id="t"
    )
    assert desk.do(replace(ask, target="moon")) == "unknown_transfer"
    assert desk.do(replace(ask, target="funding")) == "unknown_transfer"
    assert desk.do(replace(ask, asset=AssetCode("NO"))) == "unknown_asset"
    assert desk.do(replace(ask, atoms=0)) == "below_minimum"
    assert desk.do(replace(ask, atoms=5_001)) == "insufficient_balance"
    assert desk.do(ask) == ""
    assert desk.do(ask) == ""
    assert desk.do(replace(ask, atoms=99)) == "reference_reused"
    assert desk.do(replace(ask, asset=USDT)) == "reference_reused"
    assert desk.free() == 4_900
    assert desk.do(Settle(target="spot", number=2)) == "unknown_transfer"
    assert desk.do(Settle(target="spot", number=1, refusal="unknown_asset")) == ""
    assert desk.do(Settle(target="spot", number=1)) == ""
    assert desk.free() == 5_000


def test_messages_come_once_and_in_order(desk: FundingDesk) -> None:
    message = MoveFunds(transfer_id=1, user_id=UserId(2), asset=ETH, atoms=7)
    assert desk.do(Deliver(source="moon", number=1, message=message)) == "unknown_transfer"
    assert desk.do(Deliver(source="funding", number=1, message=message)) == "unknown_transfer"
    assert desk.do(Deliver(source="spot", number=4, message=message)) == "out_of_order"
    assert desk.do(Deliver(source="spot", number=3, message=message)) == ""
    assert desk.do(Deliver(source="spot", number=3, message=message)) == ""
    assert desk.free(2) == 7
    odd = replace(message, atoms=-7)
    assert desk.do(Deliver(source="spot", number=4, message=odd)) == ""
    assert desk.free(2) == 7
    assert desk.state.book.mailbox.inboxes["spot"].refusals == {4: "below_minimum"}


def test_a_command_id_takes_effect_once(desk: FundingDesk) -> None:
    from seawall.core.funding import commit_funding

    state = desk.state
    command = f.SetAddressWait(wait_ms=5)
    first = state.sequence + 1
    commit_funding(state, command, sequence=first, at_ns=desk.now_ns + 1, command_id="c")
    events = commit_funding(
        state, command, sequence=first + 1, at_ns=desk.now_ns + 2, command_id="c"
    )
    assert isinstance(events[0], CommandRepeated)
    assert events[0].sequence == first
