"""What a transaction would do.  The rule: what cannot be read in full is not signed."""

from typing import Final

from eth_utils.address import is_address
from msgspec import Struct

from seawall.treasury.chain import EvmUnsigned
from seawall.treasury.evm_codec import checksummed

TRANSFER: Final = "0xa9059cbb"
"""Selector of `transfer(address,uint256)`."""
_WORD: Final = 64
_ADDRESS: Final = 40


class Content(Struct, frozen=True, kw_only=True):
    """Who gets what; the same for every attempt of a payment."""

    payee: str
    contract: str
    units: int


def read_evm(fields: EvmUnsigned) -> Content | None:
    """Return what the transaction pays, or None if it is not a plain payment."""
    if not is_address(fields.to) or not is_address(fields.source):
        return None
    if min(fields.value, fields.nonce, fields.gas, fields.tip_per_gas) < 0:
        return None
    if fields.tip_per_gas > fields.most_per_gas:
        return None
    to = checksummed(fields.to)
    data = fields.data.lower()
    if data in {"", "0x"}:
        return Content(payee=to, contract="", units=fields.value)
    if fields.value or not data.startswith(TRANSFER):
        return None
    words = data.removeprefix(TRANSFER)
    if len(words) != 2 * _WORD or not set(words) <= set("0123456789abcdef"):
        return None
    padding, payee = words[: _WORD - _ADDRESS], words[_WORD - _ADDRESS : _WORD]
    if padding.strip("0"):
        return None
    return Content(payee=checksummed("0x" + payee), contract=to, units=int(words[_WORD:], 16))


def is_void(fields: EvmUnsigned, content: Content) -> bool:
    """Say whether it pays nothing to its own sender: all it can do is use up the nonce."""
    own = content.payee == checksummed(fields.source)
    return own and not content.contract and content.units == 0
