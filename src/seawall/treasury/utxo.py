"""A Bitcoin-like network behind the `Chain` port.  The rule: a coin belongs to one payment."""

from collections.abc import Collection

from seawall.node.clock import Clock
from seawall.treasury.chain import Coin, Decoded, PaymentOrder, RefusedError, Unsigned
from seawall.treasury.compared import ComparedChain
from seawall.treasury.settings import ChainSettings, SettingsError
from seawall.treasury.utxo_bytes import assemble, canonical_address, decode_signed
from seawall.treasury.utxo_endpoint import UtxoEndpoint

COINS_MOST = 100
"""A payment that needs more small coins waits until they are gathered."""


class UtxoChain(ComparedChain):
    """One network through all its endpoints."""

    def __init__(self, settings: ChainSettings, clock: Clock) -> None:
        settings.check()
        if not settings.address_prefix:
            raise SettingsError(f"{settings.network}: address_prefix is missing")
        self._prefix = settings.address_prefix
        nodes = [
            UtxoEndpoint(endpoint.name, endpoint.url, prefix=self._prefix, fees=settings.fees)
            for endpoint in settings.endpoints
        ]
        super().__init__(settings.network, nodes, settings.terms, clock)

    async def build(self, order: PaymentOrder, taken: Collection[str] = ()) -> Unsigned:
        """Return the transaction; a replacement spends the first one's coins, and may add to them.

        Coins of other payments, named in `taken`, are never touched.
        """
        if order.contract:
            raise RefusedError("this network has no tokens")
        if order.units <= 0:
            raise RefusedError("nothing to pay")
        free = {coin.slot: coin for coin in await self.coins(order.source)}
        chosen: list[Coin] = []
        for slot in order.slots:
            if slot not in free:
                raise RefusedError(f"{slot} is spent")
            chosen.append(free.pop(slot))
        others = sorted(
            (coin for coin in free.values() if coin.slot not in taken),
            key=lambda coin: (-coin.units, coin.slot),
        )
        while True:
            try:
                return assemble(order, chosen, self._prefix)
            except RefusedError:
                if not others or len(chosen) >= COINS_MOST:
                    raise
                chosen.append(others.pop(0))

    def decode(self, signed: bytes) -> Decoded:
        return decode_signed(signed, self._prefix)

    def valid_address(self, text: str) -> str:
        return canonical_address(text, self._prefix)
