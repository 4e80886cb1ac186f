"""A signed statement of the exchange's books.  The rule: what is signed can be added up again.

It holds, for each asset, what users have, what the exchange has and where; the last comparison of
every listing with its chain; and each journal's head with its chain hash and the digest of the
state there.  All accounts of an asset sum to zero: what users are owed stands against what the
vaults hold.  It proves that the exchange's own books agree, not that nobody was left out of them.
"""

import os
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from seawall.core.funding_state import FundingState
from seawall.core.spot_state import SpotState
from seawall.model.funding import Vault
from seawall.model.ids import MONEY_CELLS, bridge_account

STATEMENT_KEY: Final = Path("secrets") / "statement.key"
"""In the data directory; all nodes of a cluster share one."""
_SEED_BYTES: Final = 32
_BRIDGES: Final = frozenset(bridge_account(cell) for cell in MONEY_CELLS)


class AssetLine(Struct, frozen=True, kw_only=True):
    """One asset over all accounts of all cells, in atoms as text: they have no limit."""

    asset: str
    decimals: int
    users: str
    """What users have, in their spot and main wallets, held amounts and all."""
    house: str
    """What stands in the exchange's own accounts: fees, capital, the outside world."""
    vaults: str
    """Minus what deposit addresses, hot wallet and cold storage hold."""
    between: str
    """What is under way between wallets, as both sides' bridges have it."""
    sum: str
    """Of all four: zero."""


class ReconciliationLine(Struct, frozen=True, kw_only=True):
    """The last comparison of a listing with its chain."""

    asset: str
    network: str
    at_ns: int
    block: int
    difference: str


class JournalLine(Struct, frozen=True, kw_only=True):
    """Where one cell's journal stands, and what it leads to."""

    cell: str
    sequence: int
    epoch: int
    chain_hash: str
    state_digest: str


class StatementBody(Struct, frozen=True, kw_only=True):
    exchange: str
    node: str
    at_ns: int
    assets: tuple[AssetLine, ...]
    reconciliations: tuple[ReconciliationLine, ...]
    journals: tuple[JournalLine, ...]


class Signed(Struct, frozen=True, kw_only=True):
    """A statement as it is published; all but the text in hexadecimal."""

    text: str
    signature: str
    public_key: str

    @property
    def hash(self) -> str:
        return sha256(self.text.encode()).hexdigest()


class StatementKey:
    """The exchange's key for statements."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes_raw().hex()

    @classmethod
    def open(cls, path: Path) -> "StatementKey":
        """Read the key, making one where there is none; raises ValueError if it is none."""
        if not path.exists():
            make_key(path)
        seed = bytes.fromhex(path.read_text().strip())
        if len(seed) != _SEED_BYTES:
            message = f"{path} holds no Ed25519 seed of {_SEED_BYTES} bytes in hexadecimal"
            raise ValueError(message)
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    def sign(self, body: StatementBody) -> Signed:
        text = msgspec.json.encode(body).decode()
        return Signed(
            text=text, signature=self._key.sign(text.encode()).hex(), public_key=self.public
        )


def make_key(path: Path) -> None:
    """Write a new key that nobody else may read; never through a half-written state."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    seed = Ed25519PrivateKey.generate().private_bytes_raw()
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(seed.hex() + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def asset_lines(spot: SpotState, funding: FundingState) -> tuple[AssetLine, ...]:
    """Add up every account of both cells."""
    sums: dict[str, dict[str, int]] = {}
    decimals: dict[str, int] = {}
    vaults = {funding.vault(network, vault) for network in funding.book.networks for vault in Vault}
    for assets in (spot.assets, funding.book.assets):
        decimals |= {code: asset.decimals for code, asset in assets.items()}
    for ledger in (spot.ledger, funding.ledger):
        for user_id, balances in ledger.balances.items():
            part = _part(user_id, vaults)
            for asset, balance in balances.items():
                parts = sums.setdefault(asset, {})
                parts[part] = parts.get(part, 0) + balance.free + balance.held
    return tuple(
        AssetLine(
            asset=asset,
            decimals=decimals.get(asset, 0),
            users=str(parts.get("users", 0)),
            house=str(parts.get("house", 0)),
            vaults=str(parts.get("vaults", 0)),
            between=str(parts.get("between", 0)),
            sum=str(sum(parts.values())),
        )
        for asset, parts in sums.items()
    )


def reconciliation_lines(funding: FundingState) -> tuple[ReconciliationLine, ...]:
    return tuple(
        ReconciliationLine(
            asset=each.listing.asset,
            network=each.listing.network,
            at_ns=each.reconciled_ns,
            block=each.reconciled_block,
            difference=str(each.difference),
        )
        for each in funding.book.listings.values()
    )


def problems(signed: Signed, now_ns: int, fresh_ns: int) -> list[str]:
    """Return what is wrong with a statement as anybody who reads it would find; none if nothing."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signed.public_key))
        key.verify(bytes.fromhex(signed.signature), signed.text.encode())
    except (ValueError, InvalidSignature):
        return ["the signature is not that of the key"]
    try:
        body = msgspec.json.decode(signed.text, type=StatementBody)
        sums = {line.asset: _added(line) for line in body.assets}
    except (msgspec.MsgspecError, ValueError) as error:
        return [f"it cannot be read: {error}"]
    found = [f"{asset} sums to {total}, not to zero" for asset, total in sums.items() if total]
    found += [
        f"{line.asset} is said to sum to {line.sum}"
        for line in body.assets
        if int(line.sum) != sums[line.asset]
    ]
    found += [
        f"{each.asset} on {each.network} differs from its chain"
        for each in body.reconciliations
        if int(each.difference)
    ]
    if not 0 <= now_ns - body.at_ns <= fresh_ns:
        found.append("it is not of the present")
    if not body.journals or any(not line.state_digest for line in body.journals):
        found.append("it lacks a journal's head")
    return found


def _added(line: AssetLine) -> int:
    return int(line.users) + int(line.house) + int(line.vaults) + int(line.between)


def _part(user_id: int, vaults: "set[int]") -> str:
    if user_id > 0:
        return "users"
    if user_id in vaults:
        return "vaults"
    return "between" if user_id in _BRIDGES else "house"
