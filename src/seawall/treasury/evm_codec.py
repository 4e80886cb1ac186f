"""EIP-1559 transactions between fields and bytes.  The rule: one form, and all else is refused.

eth-account does the same with a dozen checks of types for each field, at ten times the price; the
tests compare with it.
"""

from functools import lru_cache
from typing import Final, cast

import rlp
from eth_keys.constants import SECPK1_N
from eth_keys.datatypes import PrivateKey, Signature
from eth_typing import ChecksumAddress
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from msgspec import Struct

DYNAMIC_FEE: Final = 2
"""The type byte."""
_TYPE: Final = bytes([DYNAMIC_FEE])
_SIGNED: Final = 12
_WORD: Final = 32


class MalformedError(ValueError):
    """The bytes are no signed EIP-1559 transaction without an access list."""


class EvmFields(Struct, frozen=True, kw_only=True):
    """What a transaction says; `to` has twenty bytes, or none for a new contract."""

    chain_id: int
    nonce: int
    tip_per_gas: int
    most_per_gas: int
    gas: int
    to: bytes
    value: int
    data: bytes


def sign_fields(fields: EvmFields, key: PrivateKey) -> bytes:
    """Return the signed bytes; RFC 6979: the same fields, the same bytes."""
    body = _body(fields)
    signature = key.sign_msg_hash(keccak(_TYPE + rlp.encode(body)))
    proof = [_bytes(int(each)) for each in (signature.v, signature.r, signature.s)]
    return _TYPE + cast("bytes", rlp.encode([*body, *proof]))


def read_signed(raw: bytes) -> tuple[EvmFields, str]:
    """Return what signed bytes say and who signed them, or raise MalformedError."""
    if raw[:1] != _TYPE:
        raise MalformedError("not an EIP-1559 transaction")
    try:
        found = rlp.decode(raw[1:], strict=True)
    except rlp.DecodingError as error:
        raise MalformedError(f"malformed: {error}") from error
    if not isinstance(found, list) or len(found) != _SIGNED:
        raise MalformedError("malformed: not twelve fields")
    access = found.pop(8)
    if access != []:
        raise MalformedError("a payment has no access list")
    if not all(isinstance(each, bytes) for each in found):
        raise MalformedError("malformed: a list in place of a value")
    if len(found[5]) not in (0, 20):
        raise MalformedError("malformed: no address")
    numbers = {place: _number(found[place]) for place in (0, 1, 2, 3, 4, 6, 8, 9, 10)}
    fields = EvmFields(
        chain_id=numbers[0],
        nonce=numbers[1],
        tip_per_gas=numbers[2],
        most_per_gas=numbers[3],
        gas=numbers[4],
        to=found[5],
        value=numbers[6],
        data=found[7],
    )
    return fields, _signer(fields, numbers[8], numbers[9], numbers[10])


def _signer(fields: EvmFields, parity: int, r: int, s: int) -> str:
    if parity > 1 or not 0 < r < SECPK1_N or not 0 < s <= SECPK1_N // 2:
        raise MalformedError("malformed: no signature that a chain takes")
    digest = keccak(_TYPE + rlp.encode(_body(fields)))
    try:
        public = Signature(vrs=(parity, r, s)).recover_public_key_from_msg_hash(digest)
    except Exception as error:
        # The library raises whatever its backend does for a point that is on no curve.
        raise MalformedError("malformed: nobody signed it") from error
    return str(public.to_checksum_address())


def _body(fields: EvmFields) -> list[object]:
    return [
        _bytes(fields.chain_id),
        _bytes(fields.nonce),
        _bytes(fields.tip_per_gas),
        _bytes(fields.most_per_gas),
        _bytes(fields.gas),
        fields.to,
        _bytes(fields.value),
        fields.data,
        [],
    ]


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _number(data: bytes) -> int:
    if len(data) > _WORD or data[:1] == b"\0":
        raise MalformedError("malformed: a number has leading zeros, or too many digits")
    return int.from_bytes(data, "big")


@lru_cache(maxsize=65_536)
def checksummed(address: str) -> ChecksumAddress:
    """Return an address with its checksum, which takes a hash: the same ones come often."""
    return to_checksum_address(address)
