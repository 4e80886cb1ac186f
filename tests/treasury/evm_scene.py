"""A real chain, a real node and a real signer, with the treasury between them."""

from pathlib import Path

from eth_account import Account
from tests.treasury.signer.vault_keys import COLD, HOT, make_keys

from seawall.lab.devchain import DevChain
from seawall.model import funding_commands as f
from seawall.model.commands import ListAsset
from seawall.model.events import CommandRejected
from seawall.model.funding import (
    Listing,
    Network,
    NetworkKind,
    Vault,
)
from seawall.model.ids import AssetCode, UserId
from seawall.model.instruments import Asset
from seawall.node.clock import SystemClock
from seawall.node.node import Node
from seawall.treasury.driver import NetworkSettings, NetworkTreasury
from seawall.treasury.evm import EvmChain
from seawall.treasury.payouts import PayoutSettings
from seawall.treasury.reconciler import Wallets
from seawall.treasury.settings import ChainSettings, EndpointSettings, FeeSettings
from seawall.treasury.signer.keystore import FileKeyStore
from seawall.treasury.signer.lease import SignerLease
from seawall.treasury.signer.messages import Answer, Request
from seawall.treasury.signer.service import SignerService
from seawall.treasury.signer.settings import AssetLimits, NetworkLimits, SignerSettings
from seawall.treasury.signer.store import SignatureStore
from seawall.treasury.sweeps import Bounds, SweepSettings

FINALITY = 3
ETHER = 10**18
SCALE = 10**12
ETH, USDT = AssetCode("ETH"), AssetCode("USDT")
PAYEE = str(Account.from_key("99" * 32).address)


class Scene:
    """A chain, a node, a signer, and the treasury between them."""

    def __init__(
        self, folder: Path, devchain: DevChain, node: Node, token: str, *, lease_s: int = 0
    ) -> None:
        self.devchain, self.node, self.token = devchain, node, token
        self.cold = ""
        self.keys: FileKeyStore = make_keys(folder / "keys")
        self.store = SignatureStore(folder / "signatures.sqlite")
        limits = SignerSettings(
            networks={
                "SIM": NetworkLimits(
                    chain_id=devchain.chain_id,
                    own=(HOT, COLD),
                    assets=tuple(
                        AssetLimits(
                            contract=contract, payment_units=10 * ETHER, window_units=10 * ETHER
                        )
                        for contract in ("", token)
                    ),
                )
            }
        )
        self.boot_ns = 10**9
        """The signer's own clock, set by hand."""
        self.service = SignerService(
            limits,
            self.keys,
            self.store,
            SystemClock().now_ns,
            lease=SignerLease(lease_s, lambda: self.boot_ns),
        )
        urls = [EndpointSettings(name=name, url=f"{devchain.url}/?{name}") for name in "ab"]
        self.chain = EvmChain(
            ChainSettings(
                network="SIM",
                endpoints=tuple(urls),
                fees=FeeSettings(cap=10**12),
                chain_id=devchain.chain_id,
                tokens=(token,),
            ),
            SystemClock(),
        )

    async def ask(self, request: Request) -> Answer:
        return self.service.answer(request)

    async def do(self, command: f.FundingCommand) -> None:
        events = (await self.node.submit_funding(command)).events
        assert not any(isinstance(event, CommandRejected) for event in events), command

    async def set_up(self) -> None:
        for code in (ETH, USDT):
            await self.do(ListAsset(asset=Asset(code=code, name=code, decimals=18)))
        network = Network(
            code="SIM",
            name="Simulated",
            kind=NetworkKind.EVM,
            chain_id=self.devchain.chain_id,
            finality=FINALITY,
            native=ETH,
            native_decimals=18,
            block_ms=1_000,
        )
        await self.do(f.ListNetwork(network=network))
        for code, contract, decimals in ((ETH, "", 18), (USDT, self.token, 6)):
            listing = Listing(
                asset=code,
                network="SIM",
                chain_decimals=decimals,
                contract=contract,
                min_deposit=SCALE,
                min_withdrawal=2 * SCALE,
                withdrawal_fee=SCALE,
                approval_above=1_000 * ETHER,
                limited_max=ETHER,
            )
            await self.do(f.OfferAsset(listing=listing))
        address = self.keys.deposit_address(0)
        opened = f.OpenDepositAddress(user_id=UserId(1), network="SIM", index=0, address=address)
        await self.do(opened)
        await self.devchain.pay(HOT, ETHER)
        await self.devchain.mine()
        capital = f.BookCapital(
            network="SIM", asset=ETH, vault=Vault.HOT, atoms=ETHER, reference="1", person="ann"
        )
        await self.do(capital)

    def treasury(self) -> NetworkTreasury:
        """Return a treasury that remembers nothing of an earlier one."""
        settings = NetworkSettings(
            payouts=PayoutSettings(lanes=(HOT,)),
            sweeps=SweepSettings(
                hot=HOT,
                cold=self.cold,
                bounds=(
                    Bounds(asset=USDT, sweep_from=SCALE),
                    Bounds(asset=ETH, sweep_from=ETHER // 10),
                ),
            ),
            wallets=Wallets(hot=(HOT,), cold=(self.cold,) if self.cold else ()),
        )
        return NetworkTreasury(self.node, "SIM", self.chain, self, settings)

    async def close(self) -> None:
        self.store.close()
        await self.chain.close()
