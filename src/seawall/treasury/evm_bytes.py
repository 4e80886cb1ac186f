"""EVM addresses and transactions as bytes.  The rule: no network, no key, nothing guessed.

The node reads here what a signer gave back, before it is journaled.
"""

from eth_utils.address import is_checksum_address, is_hex_address
from eth_utils.crypto import keccak

from seawall.treasury.chain import (
    AddressError,
    Decoded,
    PaymentOrder,
    RefusedError,
    lane_slot,
)
from seawall.treasury.evm_codec import MalformedError, checksummed, read_signed

TRANSFER_SELECTOR = bytes.fromhex("a9059cbb")
TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
BALANCE_SELECTOR = bytes.fromhex("70a08231")
TRANSFER_GAS = 21_000
ZERO = "0x" + 40 * "0"


def canonical_address(text: str) -> str:
    """Return the address with its checksum; AddressError says what is wrong with the text.

    All lower or all upper case carries no checksum and passes; mixed case must be right.
    """
    if not text.startswith("0x"):
        raise AddressError("an address of this network begins with 0x")
    if not is_hex_address(text):
        raise AddressError("an address of this network is 0x and 40 hexadecimal digits")
    digits = text[2:]
    has_case = digits not in (digits.lower(), digits.upper())
    if has_case and not is_checksum_address(text):
        raise AddressError("the checksum is wrong: look for a mistyped character")
    if text.lower() == ZERO:
        raise AddressError("nobody owns the zero address")
    return checksummed(text)


def transfer_data(payee: str, units: int) -> bytes:
    """Return the call data of ERC-20's transfer."""
    return TRANSFER_SELECTOR + bytes(12) + bytes.fromhex(payee[2:]) + units.to_bytes(32, "big")


def call_of(order: PaymentOrder) -> tuple[str, int, bytes]:
    """Return target, value and data of the call that makes the payment."""
    if order.contract:
        return order.contract, 0, transfer_data(order.payee, order.units)
    return order.payee, order.units, b""


def decode_signed(signed: bytes, chain_id: int) -> Decoded:
    """Return what signed bytes pay, to whom, from whom; RefusedError if it is anything else."""
    try:
        fields, source = read_signed(signed)
    except MalformedError as error:
        raise RefusedError(str(error)) from error
    if fields.chain_id != chain_id:
        raise RefusedError(f"signed for chain {fields.chain_id}")
    payee, contract, units = _payment(fields.to, fields.value, fields.data)
    return Decoded(
        tx_id="0x" + keccak(signed).hex(),
        source=source,
        slots=(lane_slot(source, fields.nonce),),
        payee=payee,
        contract=contract,
        units=units,
        max_cost=fields.gas * fields.most_per_gas,
        fee_price=fields.most_per_gas,
        tip_price=fields.tip_per_gas,
    )


def _payment(to: bytes, value: int, data: bytes) -> tuple[str, str, int]:
    if len(to) != 20:
        raise RefusedError("creates a contract")
    target = checksummed("0x" + to.hex())
    if not data:
        return target, "", value
    if len(data) != 68 or data[:4] != TRANSFER_SELECTOR or any(data[4:16]) or value:
        raise RefusedError("calls a contract for something else than a transfer")
    payee = checksummed("0x" + data[16:36].hex())
    return payee, target, int.from_bytes(data[36:], "big")
