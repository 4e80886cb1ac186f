"""Where keys are.  The rule: a key leaves its store as a signature only.

`KeyStore` is the port: a key management service or a hardware module stands behind it the same way
as the file.  The file is sealed with AES-256-GCM under a key that scrypt makes of a passphrase.
"""

import json
import os
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from embit.bip32 import HDKey
from embit.ec import PrivateKey
from embit.script import Witness, p2pkh_from_p2wpkh, p2wpkh
from embit.transaction import Transaction
from eth_account import Account
from eth_keys.datatypes import PrivateKey as EvmKey
from eth_utils.crypto import keccak
from msgspec import Struct, ValidationError
from msgspec.json import decode, encode

from seawall.treasury.addresses import segwit_address
from seawall.treasury.chain import EvmUnsigned, UtxoUnsigned
from seawall.treasury.evm_codec import EvmFields, checksummed, sign_fields

_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_SCRYPT_N: Final = 1 << 16
DEPOSIT_PATH: Final = "m/44h/60h/0h"
"""The deposits' account: address number `index` is its child 0/index (treasury/addresses.py)."""

COIN_TYPES: Final = {"ltc": 2, "bc": 0}
"""SLIP-44; every test network has 1."""
SIGHASH_ALL: Final = b"\x01"


class KeyStoreError(Exception):
    """The keystore cannot be opened, or has no such key; the message says which."""


class SignedBytes(Struct, frozen=True, kw_only=True):
    tx_id: str
    raw: bytes


class KeyStore(Protocol):
    """Holds keys and signs with them."""

    def wallets(self) -> frozenset[str]:
        """Return the wallets' addresses, canonical."""

    def deposit_address(self, index: int) -> str:
        """Return the deposit address at an index, canonical."""

    def deposit_key(self) -> str:
        """Return the public key that deposit addresses derive from; "" when there is none."""

    def sign(self, fields: EvmUnsigned, index: int | None) -> SignedBytes:
        """Sign with the wallet's key, or the deposit address's; the same fields, the same bytes."""


class CoinKeyStore(Protocol):
    """Signs with the same keys on UTXO networks, which are told apart by their address prefix."""

    def coin_wallets(self, prefix: str) -> frozenset[str]:
        """Return the wallets' addresses there."""

    def coin_deposit_address(self, index: int, prefix: str) -> str:
        """Return the deposit address at an index."""

    def coin_deposit_key(self, prefix: str) -> str:
        """Return the public key that deposit addresses derive from; "" when there is none."""

    def sign_coins(self, fields: UtxoUnsigned, index: int | None, prefix: str) -> SignedBytes:
        """Sign all coins, which are of one address; the same fields, the same bytes."""


class _Sealed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int
    cipher: str
    n: int
    salt: str
    nonce: str
    sealed: str


class _Keys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    wallets: tuple[str, ...]
    """Private keys, in hex."""
    deposit_seed: str
    """Seed of the deposit addresses, in hex; "" when there is none."""


class FileKeyStore:
    """Keys of an encrypted file, opened once, kept in this process only."""

    def __init__(self, keys: _Keys) -> None:
        accounts = [Account.from_key(key) for key in keys.wallets]
        self._keys = {str(account.address): bytes(account.key) for account in accounts}
        self._root: HDKey | None = None
        self._deposits: HDKey | None = None
        if keys.deposit_seed:
            self._root = HDKey.from_seed(bytes.fromhex(keys.deposit_seed))
            self._deposits = self._root.derive(DEPOSIT_PATH)

    @classmethod
    def open(cls, path: Path, passphrase: str) -> "FileKeyStore":
        """Unseal the file, or raise KeyStoreError."""
        try:
            sealed = decode(path.read_bytes(), type=_Sealed)
            if (sealed.version, sealed.cipher) != (1, "aes-256-gcm/scrypt"):
                raise KeyStoreError(f"{path}: version {sealed.version} is not known here")
            cipher = AESGCM(_stretch(passphrase, bytes.fromhex(sealed.salt), sealed.n))
            opened = cipher.decrypt(
                bytes.fromhex(sealed.nonce), bytes.fromhex(sealed.sealed), _bound(sealed.n)
            )
            return cls(decode(opened, type=_Keys))
        except OSError as error:
            raise KeyStoreError(f"{path}: {error.strerror}") from None
        except InvalidTag:
            raise KeyStoreError(f"{path}: the passphrase does not open it") from None
        except (ValidationError, ValueError) as error:
            raise KeyStoreError(f"{path}: {error}") from None

    def wallets(self) -> frozenset[str]:
        return frozenset(self._keys)

    def deposit_address(self, index: int) -> str:
        return str(Account.from_key(self._deposit_secret(index)).address)

    def deposit_key(self) -> str:
        return "" if self._deposits is None else str(self._deposits.to_public().to_base58())

    def sign(self, fields: EvmUnsigned, index: int | None) -> SignedBytes:
        source = checksummed(fields.source)
        secret = self._keys.get(source) if index is None else self._deposit_secret(index)
        if secret is None:
            raise KeyStoreError(f"no key for {source}")
        try:
            raw = sign_fields(
                EvmFields(
                    chain_id=fields.chain_id,
                    nonce=fields.nonce,
                    tip_per_gas=fields.tip_per_gas,
                    most_per_gas=fields.most_per_gas,
                    gas=fields.gas,
                    to=bytes.fromhex(fields.to.removeprefix("0x")),
                    value=fields.value,
                    data=bytes.fromhex(fields.data.removeprefix("0x")),
                ),
                EvmKey(secret),
            )
        except (ValueError, OverflowError) as error:
            raise KeyStoreError(f"no transaction: {error}") from None
        return SignedBytes(tx_id="0x" + keccak(raw).hex(), raw=raw)

    def _deposit_secret(self, index: int) -> bytes:
        if self._deposits is None or not 0 <= index < 1 << 31:
            raise KeyStoreError(f"no deposit address at {index}")
        return bytes(self._deposits.derive([0, index]).key.secret)

    # The same keys on UTXO networks

    def coin_wallets(self, prefix: str) -> frozenset[str]:
        return frozenset(self._coin_keys(prefix))

    def coin_deposit_address(self, index: int, prefix: str) -> str:
        return segwit_address(self._coin_deposit(index, prefix).get_public_key(), prefix)

    def coin_deposit_key(self, prefix: str) -> str:
        if self._root is None:
            return ""
        return str(self._root.derive(_coin_path(prefix)).to_public().to_base58())

    def sign_coins(self, fields: UtxoUnsigned, index: int | None, prefix: str) -> SignedBytes:
        source = fields.coins[0].address
        if index is None:
            key = self._coin_keys(prefix).get(source)
        else:
            key = self._coin_deposit(index, prefix)
        if key is None or any(coin.address != source for coin in fields.coins):
            raise KeyStoreError(f"no key for {source}")
        transaction = sign_inputs(bytes.fromhex(fields.raw), [c.units for c in fields.coins], key)
        return SignedBytes(tx_id=transaction.txid().hex(), raw=bytes(transaction.serialize()))

    def _coin_keys(self, prefix: str) -> dict[str, PrivateKey]:
        keys = [PrivateKey(secret) for secret in self._keys.values()]
        return {segwit_address(key.get_public_key(), prefix): key for key in keys}

    def _coin_deposit(self, index: int, prefix: str) -> PrivateKey:
        if self._root is None or not 0 <= index < 1 << 31:
            raise KeyStoreError(f"no deposit address at {index}")
        return self._root.derive(_coin_path(prefix)).derive([0, index]).key


def sign_inputs(raw: bytes, units: list[int], key: PrivateKey) -> Transaction:
    """Sign every input as a payment to the key's own hash (BIP143, RFC 6979, low S)."""
    transaction = Transaction.parse(raw)
    public = key.get_public_key()
    code = p2pkh_from_p2wpkh(p2wpkh(public))
    for place, worth in enumerate(units):
        digest = transaction.sighash_segwit(place, code, worth)
        signature = key.sign(digest).serialize() + SIGHASH_ALL
        transaction.vin[place].witness = Witness([signature, public.sec()])
    return transaction


def _coin_path(prefix: str) -> str:
    """Return the deposits' account on a UTXO network (BIP84)."""
    return f"m/84h/{COIN_TYPES.get(prefix, 1)}h/0h"


def create_keystore(
    path: Path, passphrase: str, *, wallets: tuple[str, ...], deposit_seed: str, n: int = _SCRYPT_N
) -> FileKeyStore:
    """Seal the keys into a new file with mode 0600; an existing one is never overwritten."""
    keys = _Keys(wallets=wallets, deposit_seed=deposit_seed)
    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    sealed = AESGCM(_stretch(passphrase, salt, n)).encrypt(nonce, encode(keys), _bound(n))
    text = encode(
        _Sealed(
            version=1,
            cipher="aes-256-gcm/scrypt",
            n=n,
            salt=salt.hex(),
            nonce=nonce.hex(),
            sealed=sealed.hex(),
        )
    )
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(text + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise KeyStoreError(f"{path}: {error.strerror}") from None
    return FileKeyStore(keys)


def import_v3(path: Path, passphrase: str) -> str:
    """Return the private key of a wallet in the keystore format that Ethereum clients write."""
    try:
        return bytes(Account.decrypt(json.loads(path.read_text("utf-8")), passphrase)).hex()
    except OSError as error:
        raise KeyStoreError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise KeyStoreError(f"{path}: {error}") from None


def _stretch(passphrase: str, salt: bytes, n: int) -> bytes:
    if not 1 << 10 <= n <= 1 << 22:
        raise ValueError("scrypt's n is out of range")
    return Scrypt(salt=salt, length=32, n=n, r=8, p=1).derive(passphrase.encode())


def _bound(n: int) -> bytes:
    return b"seawall keystore 1 scrypt %d" % n
