"""Turns configured treasuries into settings.  The rule: as cli/definitions.py's.

It imports the chains' libraries, which take a second: import it where a treasury is configured.
"""

from pathlib import Path
from typing import Final

from msgspec import Struct

from seawall.cli.configuration import ConfigurationError
from seawall.cli.definitions import exact
from seawall.cli.funding_definitions import listings, networks
from seawall.cli.settings import Configuration, TreasurySection
from seawall.model.funding import Listing, Network, NetworkKind
from seawall.model.ids import AssetCode
from seawall.treasury import evm_bytes, utxo_bytes
from seawall.treasury.chain import AddressError
from seawall.treasury.settings import ChainSettings, FeeSettings, SettingsError
from seawall.treasury.sweeps import Bounds

GWEI_DECIMALS: Final = 9
VBYTES_DECIMALS: Final = 3
"""Fees of a UTXO network are kept per 1000 virtual bytes."""


class NetworkPlan(Struct, frozen=True, kw_only=True):
    """One network's treasury as configured; what only the signer knows is still missing."""

    network: Network
    chain: ChainSettings
    signer: Path
    """The signer's socket."""
    lanes: tuple[str, ...]
    """Empty: every wallet of the signer's."""
    cold: tuple[str, ...]
    sweeps: tuple[Bounds, ...]

    @property
    def token(self) -> Path:
        """Return the file that proves us to the signer."""
        return self.signer.with_suffix(".token")


def treasuries(configuration: Configuration) -> list[NetworkPlan]:
    """Return what is configured, each checked against its network and its listings."""
    known = {network.code: network for network in networks(configuration)}
    offered = listings(configuration)
    found = []
    for code, section in configuration.treasury.items():
        network = known.get(code)
        if network is None:
            raise ConfigurationError(
                f"`treasury.{code}`: there is no network {code}",
                "Add a [[network]] with this code, or name one that there is.",
            )
        own = [listing for listing in offered if listing.network == code]
        found.append(_plan(configuration, network, section, own))
    return found


def _plan(
    configuration: Configuration,
    network: Network,
    section: TreasurySection,
    offered: list[Listing],
) -> NetworkPlan:
    place = f"treasury.{network.code}"
    if not section.signer:
        raise ConfigurationError(
            f"`{place}.signer` is empty", "Name the socket at which `seawall signer run` answers."
        )
    chain = ChainSettings(
        network=network.code,
        endpoints=tuple(section.endpoint),
        fees=_fees(place, network.kind, section),
        chain_id=network.chain_id,
        block_ms=network.block_ms,
        quorum=section.quorum,
        tokens=tuple(listing.contract for listing in offered if listing.contract),
        address_prefix=section.address_prefix,
        start_block=section.start_block,
        lone_endpoint=section.lone_endpoint,
    )
    try:
        chain.check()
    except SettingsError as error:
        raise ConfigurationError(
            f"`{place}`: {str(error).removeprefix(f'{network.code}: ')}",
            "Mend the section; docs/operating/treasury.md shows a whole one.",
        ) from error
    if (network.kind is NetworkKind.UTXO) != bool(section.address_prefix):
        raise ConfigurationError(
            f"`{place}.address_prefix` belongs to UTXO networks, and to each of them",
            "Litecoin's is ltc, on its test network tltc, in regtest mode rltc.",
        )
    return NetworkPlan(
        network=network,
        chain=chain,
        signer=Path(configuration.exchange.data) / section.signer,
        lanes=_addresses(f"{place}.lanes", network, section, section.lanes),
        cold=_addresses(f"{place}.cold", network, section, section.cold),
        sweeps=_bounds(configuration, place, section, offered),
    )


def _fees(place: str, kind: NetworkKind, section: TreasurySection) -> FeeSettings:
    decimals = GWEI_DECIMALS if kind is NetworkKind.EVM else VBYTES_DECIMALS
    return FeeSettings(
        cap=exact(f"{place}.fee_cap", section.fee_cap, decimals),
        tip_floor=exact(f"{place}.tip_floor", section.tip_floor, decimals),
    )


def _addresses(
    place: str, network: Network, section: TreasurySection, texts: tuple[str, ...]
) -> tuple[str, ...]:
    found = []
    for text in texts:
        try:
            if network.kind is NetworkKind.EVM:
                found.append(evm_bytes.canonical_address(text))
            else:
                found.append(utxo_bytes.canonical_address(text, section.address_prefix))
        except AddressError as error:
            raise ConfigurationError(f"`{place}`: {text}: {error}", "Copy it once more.") from error
    return tuple(found)


def _bounds(
    configuration: Configuration, place: str, section: TreasurySection, offered: list[Listing]
) -> tuple[Bounds, ...]:
    found = []
    for sweep in section.sweep:
        here = f"{place}.sweep of {sweep.asset}"
        if all(listing.asset != sweep.asset for listing in offered):
            raise ConfigurationError(
                f"`{here}`: it is not listed on this network",
                "Add a [[listing]], or take the sweep out.",
            )
        decimals = configuration.assets[sweep.asset].decimals
        bounds = Bounds(
            asset=AssetCode(sweep.asset),
            sweep_from=exact(f"{here}: least", sweep.least, decimals),
            hot_most=exact(f"{here}: hot_most", sweep.hot_most, decimals),
            hot_target=exact(f"{here}: hot_target", sweep.hot_target, decimals),
        )
        if bounds.hot_most and not section.cold:
            raise ConfigurationError(
                f"`{here}`: hot_most without a cold address to send to", f"Set `{place}.cold`."
            )
        if bounds.hot_most and bounds.hot_target > bounds.hot_most:
            raise ConfigurationError(
                f"`{here}`: hot_target is above hot_most", "Set hot_target below hot_most."
            )
        found.append(bounds)
    return tuple(found)
