"""Transactions as bytes, against eth-account's own reading and writing of them."""

import pytest
import rlp
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_keys.constants import SECPK1_N
from eth_keys.datatypes import PrivateKey
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from hypothesis import given
from hypothesis import strategies as st

from seawall.treasury.evm_codec import EvmFields, MalformedError, read_signed, sign_fields

SECRET = bytes(range(1, 33))
SIGNER = str(Account.from_key(SECRET).address)
MANY = st.integers(0, 2**256 - 1)
FIELDS = st.builds(
    EvmFields,
    chain_id=st.integers(1, 2**40),
    nonce=st.integers(0, 2**64 - 2),
    tip_per_gas=st.integers(0, 10**12),
    most_per_gas=st.integers(10**12, 2**256 - 1),
    gas=st.integers(0, 2**64 - 1),
    to=st.binary(min_size=20, max_size=20),
    value=MANY,
    data=st.sampled_from([b"", b"\0", b"\x7f", b"\x80"]) | st.binary(max_size=100),
)
ONE = EvmFields(
    chain_id=1, nonce=7, tip_per_gas=0, most_per_gas=9, gas=21_000, to=bytes(20), value=1, data=b""
)


@given(fields=FIELDS)
def test_the_bytes_are_those_of_eth_account(fields: EvmFields) -> None:
    raw = sign_fields(fields, PrivateKey(SECRET))
    theirs = Account.sign_transaction(
        {
            "type": 2,
            "chainId": fields.chain_id,
            "nonce": fields.nonce,
            "to": to_checksum_address(fields.to),
            "value": fields.value,
            "data": "0x" + fields.data.hex(),
            "gas": fields.gas,
            "maxPriorityFeePerGas": fields.tip_per_gas,
            "maxFeePerGas": fields.most_per_gas,
            "accessList": [],
        },
        SECRET,
    )
    assert raw == bytes(theirs.raw_transaction)
    assert read_signed(raw) == (fields, SIGNER)


@given(place=st.integers(0, 200), bit=st.integers(0, 7))
def test_what_is_read_from_damaged_bytes_is_what_eth_account_reads(place: int, bit: int) -> None:
    raw = bytearray(sign_fields(ONE, PrivateKey(SECRET)))
    raw[place % len(raw)] ^= 1 << bit
    try:
        fields, source = read_signed(bytes(raw))
    except MalformedError:
        return
    theirs = TypedTransaction.from_bytes(HexBytes(bytes(raw))).as_dict()
    assert (fields.nonce, fields.to, fields.value) == (
        theirs["nonce"],
        bytes(theirs["to"]),
        theirs["value"],
    )
    assert source == Account.recover_transaction(bytes(raw))
    assert source != SIGNER


@given(data=st.binary(max_size=150))
def test_garbage_is_refused_by_name(data: bytes) -> None:
    for raw in (data, b"\x02" + data):
        with pytest.raises(MalformedError):
            read_signed(raw)


def test_what_a_chain_would_not_take_is_refused() -> None:
    found = rlp.decode(sign_fields(ONE, PrivateKey(SECRET))[1:])
    s = int.from_bytes(found[11], "big")
    for place, value, why in (
        (1, b"\0\7", "leading zeros"),
        (6, b"\1" * 33, "too many digits"),
        (5, bytes(19), "no address"),
        (7, [b""], "a list"),
        (8, [[bytes(20), []]], "access list"),
        (9, b"\2", "signature"),
        (10, b"", "signature"),
        (11, (SECPK1_N - s).to_bytes(32, "big"), "signature"),
    ):
        wrong = [*found]
        wrong[place] = value
        with pytest.raises(MalformedError, match=why):
            read_signed(b"\x02" + rlp.encode(wrong))
    for wrong in (found[:11], [*found, b""]):
        with pytest.raises(MalformedError, match="twelve"):
            read_signed(b"\x02" + rlp.encode(wrong))
