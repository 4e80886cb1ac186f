"""A funding cell for the treasury's tests: one network, two listed assets, users with addresses."""

from seawall.core.deposits import address_index
from seawall.core.funding import commit_funding
from seawall.core.funding_invariants import check_funding
from seawall.core.funding_state import FundingState, dump_funding, load_funding
from seawall.model import funding_commands as f
from seawall.model.commands import Lead, ListAsset
from seawall.model.events import CommandRejected, Event
from seawall.model.funding import Listing, Network, NetworkKind
from seawall.model.ids import AssetCode, Epoch, UserId
from seawall.model.instruments import Asset
from seawall.treasury.scanner import Alarm

TOKEN = "token"
MIN_DEPOSIT = 10
SCALE = 10**12
"""Atoms of the ledger in one unit of the token on chain: 18 decimals there, 6 here."""


class FundingDesk:
    """Commits commands one by one, and can start anew from its own snapshot."""

    def __init__(
        self, *, finality: int = 6, network: str = "SIM", users: int = 3, token: str = TOKEN
    ) -> None:
        self.state = FundingState()
        self.alarms: list[Alarm] = []
        self.refused: list[str] = []
        self.commands: list[f.FundingCommand] = []
        self.network = network
        self.commit(Lead(epoch=Epoch(1), node="solo"))
        for code in ("ETH", "USDT"):
            self.commit(ListAsset(asset=Asset(code=AssetCode(code), name=code, decimals=18)))
        self.commit(
            f.ListNetwork(
                network=Network(
                    code=network,
                    name=network,
                    kind=NetworkKind.EVM,
                    chain_id=1,
                    finality=finality,
                    native=AssetCode("ETH"),
                    native_decimals=18,
                    block_ms=1000,
                )
            )
        )
        self.offer("ETH", "", 18, MIN_DEPOSIT)
        self.offer("USDT", token, 6, MIN_DEPOSIT * SCALE)
        for user_id in range(1, users + 1):
            self.open_address(user_id, f"user{user_id}")

    def offer(self, asset: str, contract: str, decimals: int, min_deposit: int) -> None:
        self.commit(
            f.OfferAsset(
                listing=Listing(
                    asset=AssetCode(asset),
                    network=self.network,
                    chain_decimals=decimals,
                    contract=contract,
                    min_deposit=min_deposit,
                    min_withdrawal=2 * 10**12,
                    withdrawal_fee=10**12,
                    approval_above=10**30,
                    limited_max=10**30,
                )
            )
        )

    def open_address(self, user_id: int, address: str) -> None:
        index = address_index(self.state, user_id, self.network)
        self.commit(
            f.OpenDepositAddress(
                user_id=UserId(user_id), network=self.network, index=index, address=address
            )
        )

    def commit(self, command: f.FundingCommand) -> list[Event]:
        book = self.state.book
        events = commit_funding(
            self.state, command, sequence=book.sequence + 1, at_ns=book.at_ns + 1
        )
        check_funding(self.state)
        self.commands.append(command)
        if events and isinstance(events[0], CommandRejected):
            self.refused.append(f"{command}: {events[0].reason} {events[0].detail}")
        return events

    async def submit(self, command: f.FundingCommand) -> None:
        self.commit(command)

    def restart(self) -> None:
        """Lose everything but the cell's own state."""
        self.state = load_funding(dump_funding(self.state))

    def balance(self, user_id: int, asset: str) -> int:
        return self.state.ledger.free(user_id, asset)
