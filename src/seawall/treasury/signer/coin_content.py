"""What spending coins would do.  The rule: it is read from the bytes that will be signed.

Coins of one address pay one output; what is left goes back to that same address, and the rest is
the network's fee.  The fields beside the bytes must say the same.  A coin's worth stands in no
byte, but BIP143 has every signature commit to it: whoever lies about it gets signatures that no
node accepts.  What a lie about two coins in turn could still do, `coin_policy.py` prevents.
"""

from embit.transaction import Transaction
from msgspec import Struct

from seawall.treasury.chain import AddressError, RefusedError, UtxoUnsigned, coin_slot
from seawall.treasury.signer.content import Content
from seawall.treasury.utxo_bytes import (
    COINS_MOST,
    REPLACEABLE,
    address_of,
    script_of,
    vbytes_of,
)

KEY_HASH_BYTES = 22


class CoinContent(Struct, frozen=True, kw_only=True):
    source: str
    slots: tuple[str, ...]
    content: Content
    void: bool
    """It pays nobody but its own source: all it can do is use the coins up."""
    fee: int
    vbytes: int


def read_coins(fields: UtxoUnsigned, prefix: str) -> CoinContent | None:
    """Return what the transaction pays, or None if it is not a plain payment."""
    try:
        return _read(fields, prefix)
    except (AddressError, RefusedError):
        return None
    except Exception:  # noqa: BLE001  the decoder raises whatever garbage makes it meet
        return None


def _read(fields: UtxoUnsigned, prefix: str) -> CoinContent | None:
    raw = bytes.fromhex(fields.raw)
    transaction = Transaction.parse(raw)
    slots = tuple(coin_slot(spent.txid.hex(), spent.vout) for spent in transaction.vin)
    outputs = [(bytes(each.script_pubkey.data), int(each.value)) for each in transaction.vout]
    plain = (
        bytes(transaction.serialize()) == raw
        and (transaction.version, transaction.locktime) == (2, 0)
        and all(_unsigned(spent) for spent in transaction.vin)
        and slots == tuple(coin.slot for coin in fields.coins)
        and len(set(slots)) == len(slots)
        and 0 < len(slots) <= COINS_MOST
        and all(units > 0 for _, units in outputs)
    )
    if not plain:
        return None
    source = _source(fields, prefix)
    (payee, units), change = outputs[0], outputs[1:]
    back = sum(each for _, each in change)
    said = (fields.payee, fields.units, fields.change, fields.change_units)
    if said != (address_of(payee, prefix), units, source if change else "", back):
        return None
    if len(change) > 1 or any(script != script_of(source, prefix) for script, _ in change):
        return None
    fee = sum(coin.units for coin in fields.coins) - units - back
    if fee < 0:
        return None
    return CoinContent(
        source=source,
        slots=slots,
        content=Content(payee=fields.payee, contract="", units=units),
        void=fields.payee == source,
        fee=fee,
        vbytes=vbytes_of(len(slots), [script for script, _ in outputs]),
    )


def _source(fields: UtxoUnsigned, prefix: str) -> str:
    """Return the one address whose coins these are; RefusedError if there is none."""
    source = fields.coins[0].address
    script = script_of(source, prefix)
    same = all((each.address, each.script) == (source, script.hex()) for each in fields.coins)
    if not same or len(script) != KEY_HASH_BYTES or script[0]:
        raise RefusedError("not the coins of one key")
    if any(each.units <= 0 for each in fields.coins):
        raise RefusedError("a coin is worth something")
    return source


def _unsigned(spent: object) -> bool:
    found = (
        getattr(spent, "sequence", None),
        bool(spent.script_sig.data),  # type: ignore[attr-defined]  # the library has no types
        bool(spent.witness.items),  # type: ignore[attr-defined]  # the library has no types
    )
    return found == (REPLACEABLE, False, False)
