"""An exchange with a network, two listings and a treasury that is only made up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.gateway.exchange import Exchange, User, open_exchange

from seawall.gateway.treasury_port import (
    AddressRefusedError,
    TopUpRefusedError,
    TreasuryOffError,
)
from seawall.model.commands import ListAsset
from seawall.model.funding import Attempt, Listing, Network, NetworkKind, Service, Vault
from seawall.model.funding_commands import (
    BookCapital,
    ConfirmDeposit,
    FundingCommand,
    ListNetwork,
    OfferAsset,
    PrepareWithdrawal,
    RecordTopUp,
    SeeDeposit,
    SetAddressWait,
    SettleWithdrawal,
)
from seawall.model.ids import AssetCode
from seawall.node.clock import ManualClock
from seawall.node.node import Node

ETHER = 10**18
FINALITY = 3
PAYEE = "0x" + "ab" * 20
OTHER = "0x" + "cd" * 20

NETWORK = Network(
    code="ETH",
    name="Ethereum",
    kind=NetworkKind.EVM,
    chain_id=1,
    finality=FINALITY,
    native=AssetCode("ETH"),
    native_decimals=18,
    block_ms=12_000,
)


def listing(asset: str, decimals: int, contract: str, unit: int) -> Listing:
    return Listing(
        asset=AssetCode(asset),
        network="ETH",
        chain_decimals=decimals,
        contract=contract,
        min_deposit=unit // 100,
        min_withdrawal=unit // 10,
        withdrawal_fee=unit // 100,
        approval_above=5 * unit,
        limited_max=unit,
        hot_floor=0,
    )


class MadeUpTreasury:
    """Derives addresses that nobody has the keys of, and takes lower-case hexadecimal ones."""

    def __init__(self) -> None:
        self.reasons: dict[tuple[str, Service], str] = {}
        self.node: Node | None = None
        self.sent: dict[str, int] = {}
        """What cold storage has sent, by transaction."""
        self.slow = ""

    async def derive(self, network: str, index: int) -> str:
        reason = self.reasons.get((network, Service.DEPOSIT))
        if reason:
            raise TreasuryOffError(reason)
        return f"0x{index:040x}"

    async def payee(self, network: str, text: str) -> str:
        if len(text) != 42 or not text.startswith("0x"):
            raise AddressRefusedError("an address has forty digits")
        return text.lower()

    def waits(self, network: str) -> str:
        return self.slow

    def off(self, network: str, service: Service) -> str:
        return self.reasons.get((network, service), "")

    async def reconcile(self) -> None:
        raise TreasuryOffError("nothing is real here")

    def hot_wallet(self, network: str) -> str:
        return f"hot wallet of {network}"

    async def record_top_up(self, network: str, tx_id: str, person: str) -> None:
        if tx_id not in self.sent or self.node is None:
            raise TopUpRefusedError("no such transaction stands in a block")
        command = RecordTopUp(
            network=network,
            asset=AssetCode("ETH"),
            atoms=self.sent[tx_id],
            tx_id=tx_id,
            confirmations=FINALITY,
            cost=0,
            person=person,
        )
        assert (await self.node.submit_funding(command)).answer is None


@asynccontextmanager
async def open_bank(
    data: Path, *, treasury: bool = True, clock: ManualClock | None = None
) -> AsyncIterator[Exchange]:
    """Open an exchange whose funding cell is set up; its relay runs."""
    addresses = MadeUpTreasury() if treasury else None
    async with open_exchange(
        data, clock=clock, addresses=addresses, reconciling=addresses
    ) as exchange:
        if addresses is not None:
            addresses.node = exchange.node
        for asset in exchange.node.spot.assets.values():
            await act(exchange, ListAsset(asset=asset))
        await act(exchange, ListNetwork(network=NETWORK))
        await act(exchange, OfferAsset(listing=listing("ETH", 18, "", ETHER)))
        await act(exchange, OfferAsset(listing=listing("USDT", 6, "0xusdt", 10**8)))
        await act(exchange, SetAddressWait(wait_ms=60_000))
        for asset_code, atoms in (("ETH", 100 * ETHER), ("USDT", 100 * 10**8)):
            await act(
                exchange,
                BookCapital(
                    network="ETH",
                    asset=AssetCode(asset_code),
                    vault=Vault.HOT,
                    atoms=atoms,
                    reference=asset_code,
                    person="ann",
                ),
            )
        yield exchange


async def act(exchange: Exchange, command: FundingCommand) -> None:
    committed = await exchange.node.submit_funding(command)
    assert committed.answer is None, committed.answer


async def client(exchange: Exchange, name: str, **money: str) -> User:
    """Create a user whose key may withdraw."""
    user = await exchange.add_user(name, **money)
    permissions = ["read", "trade", "withdraw"]
    made = await exchange.operate("keys", {"user": name, "permissions": permissions})
    return User(user.name, made["apiKey"], made["secretKey"])


async def deposit(exchange: Exchange, address: str, atoms: int, *, tx_id: str = "0xd") -> None:
    """Let a deposit be seen and become final."""
    await act(
        exchange,
        SeeDeposit(
            network="ETH",
            tx_id=tx_id,
            output=0,
            address=address,
            asset=AssetCode("ETH"),
            atoms=atoms,
            block=7,
            block_id="b7",
        ),
    )
    await act(
        exchange,
        ConfirmDeposit(network="ETH", tx_id=tx_id, output=0, block_id="b7", confirmations=FINALITY),
    )


async def pay(exchange: Exchange, withdrawal_id: int) -> None:
    """Do what the treasury does, to the end."""
    attempt = Attempt(
        tx_id=f"0xtx{withdrawal_id}", slots=(f"hot/{withdrawal_id}",), signed="00", max_cost=0
    )
    await act(exchange, PrepareWithdrawal(withdrawal_id=withdrawal_id, attempt=attempt))
    await act(
        exchange,
        SettleWithdrawal(
            withdrawal_id=withdrawal_id, tx_id=attempt.tx_id, confirmations=FINALITY, cost=0
        ),
    )
