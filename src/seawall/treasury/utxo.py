"""A Bitcoin-like network behind the `Chain` port.  The rule: a coin belongs to one payment."""

from collections.abc import Collection
from typing import Protocol, runtime_checkable

from seawall.node.clock import Clock
from seawall.treasury.chain import Block, Chain, Coin, Decoded, PaymentOrder, Unsigned
from seawall.treasury.compared import ComparedChain
from seawall.treasury.settings import ChainSettings, SettingsError
from seawall.treasury.utxo_bytes import canonical_address, decode_signed
from seawall.treasury.utxo_coins import pay
from seawall.treasury.utxo_endpoint import UtxoEndpoint


@runtime_checkable
class CoinChain(Chain, Protocol):
    """A chain that knows coins: what its own pipelines ask besides."""

    @property
    def prefix(self) -> str:
        """Return the human part of its addresses."""

    async def coins_at(self, addresses: Collection[str], block: Block) -> list[Coin]:
        """Return everything unspent of these addresses after this very block, the newest."""


class UtxoChain(ComparedChain):
    """One network through all its endpoints."""

    def __init__(self, settings: ChainSettings, clock: Clock) -> None:
        settings.check()
        if not settings.address_prefix:
            raise SettingsError(f"{settings.network}: address_prefix is missing")
        self._prefix = settings.address_prefix
        self._nodes = {
            endpoint.name: UtxoEndpoint(
                endpoint.name, endpoint.url, prefix=self._prefix, fees=settings.fees
            )
            for endpoint in settings.endpoints
        }
        super().__init__(settings.network, self._nodes.values(), settings.terms, clock)

    @property
    def prefix(self) -> str:
        return self._prefix

    async def coins_at(self, addresses: Collection[str], block: Block) -> list[Coin]:
        wanted = frozenset(addresses)
        found = await self._bound(
            f"coins of {len(wanted)} addresses at block {block.id}",
            lambda one: self._nodes[one.name].coins_at(wanted, block),
        )
        return list(found)

    async def build(self, order: PaymentOrder, taken: Collection[str] = ()) -> Unsigned:
        """Return the transaction; a replacement spends exactly the first one's coins.

        Coins of other payments, named in `taken`, are never touched.
        """
        coins = await self.coins(order.source)
        return pay(order, [coin for coin in coins if coin.slot not in taken], self._prefix)

    def decode(self, signed: bytes) -> Decoded:
        return decode_signed(signed, self._prefix)

    def valid_address(self, text: str) -> str:
        return canonical_address(text, self._prefix)
