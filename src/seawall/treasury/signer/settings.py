"""What the signer allows.  The rule: read once at start, from its own file, never from the node."""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from seawall.treasury.evm_codec import checksummed

LEASE_S_MOST: Final = 15


class SignerSettingsError(ValueError):
    """The file cannot be used; the message says why."""


class AssetLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of one coin or token, in its units on chain.

    For the network's own coin the window counts fees too.
    """

    contract: str = ""
    payment_units: int
    """The most that one payment may be."""
    window_units: int
    """The most that all payments of a window may be."""
    window_s: int = 86_400


class NetworkLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One network: how it is told from others, and the dearest fees that are signed."""

    chain_id: int = 0
    """Of an EVM network."""
    prefix: str = ""
    """Of a UTXO network: the human part of its addresses, `ltc`, `tltc` or `rltc`."""
    assets: tuple[AssetLimits, ...]
    own: tuple[str, ...] = ()
    """The exchange's own wallets, hot and cold; what goes there counts against no limit."""
    most_per_gas: int = 1_000 * 10**9
    most_gas: int = 500_000
    most_per_kvbyte: int = 1_000_000
    """UTXO: the dearest price of 1000 virtual bytes."""

    def limits_of(self, contract: str) -> AssetLimits | None:
        """Return the limits of a coin or token; None: it is not signed for."""
        for each in self.assets:
            known = checksummed(each.contract) if each.contract else ""
            if known == contract:
                return each
        return None


class SignerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    networks: dict[str, NetworkLimits]
    lease_s: int = 0
    """Users are paid only while the node has said within so many seconds that they may be.

    0: no such word is needed.
    """


def load_settings(path: Path) -> SignerSettings:
    """Read the file, TOML or (by its name) JSON, or raise SignerSettingsError."""
    try:
        data = path.read_bytes()
        if path.suffix == ".json":
            settings = msgspec.json.decode(data, type=SignerSettings)
        else:
            settings = msgspec.toml.decode(data, type=SignerSettings)
    except OSError as error:
        raise SignerSettingsError(f"{path}: {error.strerror}") from None
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise SignerSettingsError(f"{path}: {error}") from None
    if not 0 <= settings.lease_s <= LEASE_S_MOST:
        raise SignerSettingsError(f"{path}: lease_s is from 0 to {LEASE_S_MOST}")
    for name, network in settings.networks.items():
        if bool(network.chain_id) == bool(network.prefix):
            raise SignerSettingsError(f"{path}: {name} needs either chain_id or prefix")
    return settings
