"""What the treasury is told of each network.  The rule: a doubtful setting is refused at start.

Secrets are not here: endpoints' addresses may hold access keys, so nothing prints them.
"""

from msgspec import Struct

from seawall.treasury.endpoints import Terms


class SettingsError(ValueError):
    """The settings contradict themselves; the message says how to mend them."""


class EndpointSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    url: str
    """http://user:password@host:port for a node that asks for them."""

    def __repr__(self) -> str:
        """Show no address: it may hold a key."""
        return f"EndpointSettings(name={self.name!r})"


class FeeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In native units per gas, or on a UTXO network per 1000 virtual bytes."""

    cap: int
    """Nothing is ever offered above it: in a spike payments wait."""
    tip_floor: int = 0
    """EVM: the least offered above the base.  UTXO: the least offered at all."""


class ChainSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One network as the treasury reaches it; see model/funding.Network for its terms."""

    network: str
    endpoints: tuple[EndpointSettings, ...]
    fees: FeeSettings
    chain_id: int = 0
    block_ms: int = 12_000
    quorum: int = 0
    """How many must agree; 0: the smallest majority."""
    tokens: tuple[str, ...] = ()
    """Contracts of the listed tokens: what came is measured for these."""
    extra_gas_per_cent: int = 25
    """What a contract call gets above its estimate."""
    most_gas: int = 500_000
    """A payment that needs more is refused: it would run somebody's program."""
    address_prefix: str = ""
    """UTXO: the human part of its addresses, `ltc`, `tltc` or `rltc`."""
    start_block: int = 0
    """Before it nothing was ever paid to us."""
    lone_endpoint: bool = False
    """Only for development: believe a single endpoint, which nothing contradicts."""

    def check(self) -> None:
        """Raise SettingsError if the settings cannot be meant."""
        names = [endpoint.name for endpoint in self.endpoints]
        if len(set(names)) != len(names) or not all(names):
            raise SettingsError(f"{self.network}: each endpoint needs a name of its own")
        urls = [endpoint.url for endpoint in self.endpoints]
        if len(set(urls)) != len(urls):
            raise SettingsError(f"{self.network}: one address twice would agree with itself")
        if not names or (len(names) < 2 and not self.lone_endpoint):
            raise SettingsError(f"{self.network}: name at least two endpoints to compare")
        if not len(names) < 2 * self.agreeing <= 2 * len(names):
            raise SettingsError(f"{self.network}: quorum must be more than half of the endpoints")
        if self.fees.cap <= self.fees.tip_floor:
            raise SettingsError(f"{self.network}: fees.cap must be above fees.tip_floor")

    @property
    def agreeing(self) -> int:
        return self.quorum or len(self.endpoints) // 2 + 1

    @property
    def terms(self) -> Terms:
        return Terms(quorum=self.agreeing, block_ms=self.block_ms)
