"""Chain against ledger with many users: the sums are right, and one unit among them is found."""

from tests.treasury.funding_desk import SCALE, TOKEN, FundingDesk
from tests.treasury.lying_chain import Manner, SimulatedChain, SimulatedNetwork

from seawall.core.funding import commit_funding
from seawall.core.funding_invariants import check_funding
from seawall.core.funding_state import FundingState
from seawall.model import funding_commands as f
from seawall.model.funding import DepositState, ServiceStatus, Vault
from seawall.model.ids import UserId
from seawall.treasury.chain import Block
from seawall.treasury.endpoints import Health
from seawall.treasury.holdings import read_holdings
from seawall.treasury.reconciler import Reading, Wallets, addresses, report
from seawall.treasury.scanner import Alarm, DepositScanner
from seawall.treasury.scanning import scan

USERS = 1_600
"""More than two questions' worth."""
FINALITY = 2
WALLETS = Wallets(hot=("hot",), cold=("cold",))


class Crowd:
    """Many users who all paid in one block, scanned and credited."""

    def __init__(self) -> None:
        self.chain = SimulatedChain()
        self.network = SimulatedNetwork(self.chain)
        self.state: FundingState = FundingDesk(finality=FINALITY, users=0).state
        for index in range(USERS):
            opened = f.OpenDepositAddress(
                user_id=UserId(index + 1), network="SIM", index=index, address=f"user{index}"
            )
            self.commit(opened)

    def commit(self, command: f.FundingCommand) -> None:
        book = self.state.book
        commit_funding(self.state, command, sequence=book.sequence + 1, at_ns=book.at_ns + 1)

    async def submit(self, command: f.FundingCommand) -> None:
        self.commit(command)

    async def deposit(self) -> None:
        for index in range(USERS):
            self.chain.fund(f"user{index}", 1_000 + index)
            self.chain.fund(f"user{index}", 2_000 + index, TOKEN)
        self.chain.mine(FINALITY)
        alarms: list[Alarm] = []
        await scan(self.network, DepositScanner(self.state, "SIM"), self.submit, alarms.append)
        assert not alarms

    async def reconcile(self, block: Block) -> None:
        where = addresses(self.state, "SIM", WALLETS)
        units = await read_holdings(self.network, where, ("", TOKEN), block)
        reading = Reading(
            block=block, units=units, receipts={}, ledger_sequence=self.state.sequence
        )
        for listing in list(self.state.book.listings.values()):
            self.commit(report(self.state, listing.listing, reading))

    def told(self, asset: str) -> tuple[int, ServiceStatus]:
        listing = self.state.listing(asset, "SIM")
        assert listing is not None
        assert listing.reconciled_block == self.chain.head.number
        return listing.difference, listing.withdrawal.status


async def test_one_unit_among_many_users_is_found_and_pauses_its_asset_alone() -> None:
    crowd = Crowd()
    await crowd.deposit()
    rows = list(crowd.state.book.deposits.values())
    assert len(rows) == 2 * USERS
    assert {row.state for row in rows} == {DepositState.CREDITED}
    assert crowd.state.ledger.free(USERS, "ETH") == 1_000 + USERS - 1
    assert crowd.state.ledger.free(USERS, "USDT") == (2_000 + USERS - 1) * SCALE
    check_funding(crowd.state)
    await crowd.reconcile(crowd.chain.head)
    assert crowd.told("ETH") == (0, ServiceStatus.OPEN)
    assert crowd.told("USDT") == (0, ServiceStatus.OPEN)
    # One unit more than the scan has seen, at one address in the last part.
    crowd.chain.fund(f"user{USERS - 1}", 1, TOKEN)
    crowd.chain.mine()
    await crowd.reconcile(crowd.chain.head)
    assert crowd.told("ETH") == (0, ServiceStatus.OPEN)
    assert crowd.told("USDT") == (SCALE, ServiceStatus.PAUSED)


async def test_a_liar_among_the_endpoints_changes_no_sum_and_is_named() -> None:
    crowd = Crowd()
    await crowd.deposit()
    crowd.network.shown[1].manner = Manner.LIES_ABOUT_BALANCES
    await crowd.reconcile(crowd.chain.head)
    assert crowd.told("ETH") == (0, ServiceStatus.OPEN)
    lies = [each for each in crowd.network.verdicts() if each.health is Health.LYING]
    assert [each.endpoint for each in lies] == ["b"]


async def test_holdings_are_those_of_their_block() -> None:
    chain = SimulatedChain()
    for name, units in (("a", 5), ("b", 7), ("hot", 11)):
        chain.fund(name, units)
    before = chain.mine()
    chain.fund("a", 100)
    chain.mine()
    where = {Vault.DEPOSIT: ("a", "b"), Vault.HOT: ("hot",), Vault.COLD: ()}
    found = await read_holdings(SimulatedNetwork(chain), where, ("",), before)
    assert found == {(Vault.DEPOSIT, ""): 12, (Vault.HOT, ""): 11, (Vault.COLD, ""): 0}
