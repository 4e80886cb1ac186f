"""UTXO addresses and transactions as bytes.  The rule: no network, no key, nothing guessed.

A payment of ours spends coins of one segwit address, pays its first output, and gives what is left
back to the address that it came from.  Anything else is refused.
"""

from typing import Any, Final

from embit import base58, bech32, ec
from embit.script import Script
from embit.transaction import Transaction, TransactionInput, TransactionOutput

from seawall.treasury.addresses import segwit_address
from seawall.treasury.chain import (
    AddressError,
    Coin,
    Decoded,
    FeeQuote,
    PaymentOrder,
    RefusedError,
    Unsigned,
    UtxoUnsigned,
    coin_slot,
    parse_coin_slot,
)

# Version bytes of old addresses, to a key and to a script.  Litecoin's former 0x05 is Bitcoin's as
# well: who pays there may have meant the other chain.
LEGACY: Final = {
    "bc": (0x00, 0x05), "tb": (0x6F, 0xC4), "bcrt": (0x6F, 0xC4),
    "ltc": (0x30, 0x32), "tltc": (0x6F, 0x3A), "rltc": (0x6F, 0x3A),
}  # fmt: skip
REPLACEABLE: Final = 0xFFFFFFFD
"""The sequence number that allows a replacement with a higher fee."""
DUST: Final = 5_500
"""Change below it costs more to spend than it is worth; the network gets it."""
COINS_MOST: Final = 100
"""A payment that needs more small coins waits until larger ones are there."""
PAYEE_MOST: Final = 34
"""Bytes of the longest script that is paid to."""


def canonical_address(text: str, prefix: str) -> str:
    """Return the address as the network writes it; AddressError says what is wrong with it."""
    script_of(text, prefix)
    return text.lower() if text.lower().startswith(f"{prefix}1") else text


def script_of(address: str, prefix: str) -> bytes:
    """Return the script that pays to an address of this network."""
    if address.lower().startswith(f"{prefix}1"):
        return _segwit_script(address, prefix)
    try:
        data = base58.decode_check(address)
    except Exception as error:
        # The decoder raises whatever garbage makes it meet.
        raise AddressError(f"no address of this network, which begin with {prefix}1") from error
    key, script = LEGACY.get(prefix, (-1, -1))
    if len(data) == 21 and data[0] == key:
        return b"\x76\xa9\x14" + bytes(data[1:]) + b"\x88\xac"
    if len(data) == 21 and data[0] == script:
        return b"\xa9\x14" + bytes(data[1:]) + b"\x87"
    raise AddressError("this is an address of another network")


def _segwit_script(address: str, prefix: str) -> bytes:
    if address not in (address.lower(), address.upper()):
        raise AddressError("an address of this network is all lower case")
    try:
        version, program = bech32.decode(prefix, address.lower())
    except Exception as error:
        raise AddressError("malformed address") from error
    if version is None or program is None:
        raise AddressError("the checksum is wrong: look for a mistyped character")
    if (version, len(program)) not in ((0, 20), (0, 32), (1, 32)):
        raise AddressError("nothing that this exchange knows how to pay to")
    return bytes([version + 0x50 if version else 0, len(program), *program])


def assemble(order: PaymentOrder, coins: list[Coin], prefix: str) -> Unsigned:
    """Return the transaction that spends these coins for the order, at the order's price."""
    total = sum(coin.units for coin in coins)
    if order.units < DUST:
        raise RefusedError(f"less than {DUST} units are not worth spending: nodes refuse them")
    payee, source = script_of(order.payee, prefix), script_of(order.source, prefix)
    outputs = [TransactionOutput(order.units, Script(payee))]
    fee = fee_of(vbytes_of(len(coins), [payee]), order.quote.most)
    dear = fee_of(vbytes_of(len(coins), [payee, source]), order.quote.most)
    change = total - order.units - dear
    if change >= DUST:
        outputs.append(TransactionOutput(change, Script(source)))
    else:
        change = 0
    if total - order.units - change < fee:
        raise RefusedError("insufficient funds")
    return _unsigned(coins, outputs, order, change)


def gather(source: str, payee: str, coins: list[Coin], price: int, prefix: str) -> Unsigned:
    """Return the transaction that gives all of these coins, less the network's fee, to one."""
    script = script_of(payee, prefix)
    units = sum(coin.units for coin in coins)
    units -= fee_of(vbytes_of(len(coins), [script]), price)
    if units < DUST:
        raise RefusedError("the coins are not worth their fee")
    order = PaymentOrder(
        source=source,
        payee=payee,
        contract="",
        units=units,
        quote=FeeQuote(base=0, tip=0, most=price),
    )
    return _unsigned(coins, [TransactionOutput(units, Script(script))], order, 0)


def _unsigned(coins: list[Coin], outputs: list[Any], order: PaymentOrder, change: int) -> Unsigned:
    inputs = []
    for coin in coins:
        tx_id, output = parse_coin_slot(coin.slot)
        inputs.append(TransactionInput(bytes.fromhex(tx_id), output, sequence=REPLACEABLE))
    raw = Transaction(version=2, vin=inputs, vout=outputs)
    return Unsigned(
        slots=tuple(coin.slot for coin in coins),
        max_cost=sum(coin.units for coin in coins) - order.units - change,
        fields=UtxoUnsigned(
            coins=tuple(coins),
            payee=order.payee,
            units=order.units,
            change=order.source if change else "",
            change_units=change,
            raw=raw.serialize().hex(),
        ),
    )


def fee_of(vbytes: int, price: int) -> int:
    """Return the fee at a price per 1000 virtual bytes, rounded up."""
    return -(-vbytes * price // 1000)


def vbytes_of(coins: int, scripts: list[bytes]) -> int:
    """Return the size of a payment once it is signed, as fees count it (BIP141), rounded up.

    A coin takes 41 bytes and a witness of at most 109, of which a quarter counts: two counts and
    lengths, a signature of 72 bytes, a public key of 33, rounded up.
    """
    base = 10 + 41 * coins + sum(9 + len(script) for script in scripts)
    return -(-(4 * base + 2 + 109 * coins) // 4)


def price_of(signed: bytes, cost: int) -> int:
    """Return what signed bytes offer per 1000 virtual bytes, rounded down."""
    transaction = Transaction.parse(signed)
    scripts = [bytes(output.script_pubkey.data) for output in transaction.vout]
    return cost * 1000 // vbytes_of(len(transaction.vin), scripts)


def decode_signed(signed: bytes, prefix: str) -> Decoded:
    """Return what signed bytes pay; RefusedError if they are no payment of ours."""
    try:
        transaction = Transaction.parse(signed)
        sources = {_spender(spent, prefix) for spent in transaction.vin}
        outputs = [(bytes(out.script_pubkey.data), int(out.value)) for out in transaction.vout]
    except Exception as error:
        # The decoders raise whatever garbage makes them meet.
        raise RefusedError(f"malformed: {type(error).__name__}") from error
    if transaction.serialize() != signed:
        raise RefusedError("not in its one form")
    if len(sources) != 1 or "" in sources:
        raise RefusedError("spends something else than signed coins of one segwit address")
    (source,) = sources
    if not outputs or any(script != script_of(source, prefix) for script, _ in outputs[1:]):
        raise RefusedError("pays more than one address")
    return Decoded(
        tx_id=transaction.txid().hex(),
        source=source,
        slots=tuple(coin_slot(spent.txid.hex(), spent.vout) for spent in transaction.vin),
        payee=address_of(outputs[0][0], prefix),
        contract="",
        units=outputs[0][1],
        max_cost=-1,
        fee_price=0,
    )


def _spender(spent: Any, prefix: str) -> str:
    """Return the address whose key signed an input; "" if it is of another kind."""
    items = spent.witness.items
    if len(items) != 2 or len(items[1]) != 33 or spent.script_sig.data:
        return ""
    return segwit_address(ec.PublicKey.parse(items[1]), prefix)


def address_of(script: bytes, prefix: str) -> str:
    """Return the address that a script pays to."""
    key, to_script = LEGACY.get(prefix, (-1, -1))
    if len(script) == 25 and script[:3] == b"\x76\xa9\x14":
        return str(base58.encode_check(bytes([key]) + script[3:23]))
    if len(script) == 23 and script[:2] == b"\xa9\x14":
        return str(base58.encode_check(bytes([to_script]) + script[2:22]))
    if len(script) in (22, 34) and script[0] in (0x00, 0x51) and script[1] == len(script) - 2:
        version = 1 if script[0] else 0
        return str(bech32.encode(prefix, version, script[2:]))
    raise RefusedError("pays to something that is no address")
