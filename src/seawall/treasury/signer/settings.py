"""What the signer allows.  The rule: read once at start, from its own file, never from the node."""

from pathlib import Path

import msgspec
from msgspec import Struct


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
    """One network: what it is called, and the dearest fees that are signed."""

    chain_id: int
    assets: tuple[AssetLimits, ...]
    own: tuple[str, ...] = ()
    """The exchange's own wallets, hot and cold; what goes there counts against no limit."""
    most_per_gas: int = 1_000 * 10**9
    most_gas: int = 500_000


class SignerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    networks: dict[str, NetworkLimits]


def load_settings(path: Path) -> SignerSettings:
    """Read the file, TOML or (by its name) JSON, or raise SignerSettingsError."""
    try:
        data = path.read_bytes()
        if path.suffix == ".json":
            return msgspec.json.decode(data, type=SignerSettings)
        return msgspec.toml.decode(data, type=SignerSettings)
    except OSError as error:
        raise SignerSettingsError(f"{path}: {error.strerror}") from None
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise SignerSettingsError(f"{path}: {error}") from None
