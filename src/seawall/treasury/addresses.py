"""Deposit addresses from an account's public key.  The rule: no private key is ever here.

BIP32: address number `index` is the child 0/index of the extended public key that the signer gave
out for the account (m/44'/60'/0' on EVM networks, m/84'/coin'/0' on UTXO networks).  Whoever has
this key can see every deposit address, and can spend nothing.
"""

from typing import Any

from embit import bip32, ec, script
from embit.base import EmbitError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from seawall.model.funding import NetworkKind
from seawall.treasury.settings import SettingsError

HIGHEST_INDEX = 2**31 - 1
"""From there on children are hardened: a public key cannot have them."""


class DepositAddresses:
    """The addresses of one network's deposit account."""

    def __init__(self, account_key: str, kind: NetworkKind, prefix: str = "") -> None:
        try:
            account = bip32.HDKey.from_string(account_key)
        except (EmbitError, ValueError, IndexError, KeyError) as error:
            raise SettingsError("the account's key is no extended public key") from error
        if account.is_private:
            raise SettingsError("this is a private key: give the account's public key")
        if kind is NetworkKind.UTXO and not prefix:
            raise SettingsError("addresses of a UTXO network need their prefix")
        self._external = account.derive([0])
        self._kind = kind
        self._prefix = prefix

    def address(self, index: int) -> str:
        """Return the address at an index, in its canonical form."""
        if not 0 <= index <= HIGHEST_INDEX:
            raise ValueError(f"no address has the index {index}")
        key = self._external.child(index).key
        if self._kind is NetworkKind.EVM:
            return evm_address(key)
        return segwit_address(key, self._prefix)


def evm_address(key: Any) -> str:
    """Return the account of a public key: the end of the hash of its point."""
    full = ec.PublicKey.parse(key.sec())
    full.compressed = False
    return str(to_checksum_address(keccak(full.sec()[1:])[-20:]))


def segwit_address(key: Any, prefix: str) -> str:
    """Return the address that pays to the public key's hash."""
    return str(script.p2wpkh(key).address({"bech32": prefix}))
