"""Which coins pay.  The rule: the same order and the same coins give the same transaction.

Sans-I/O.  A payment takes the smallest coin that covers it and leaves room to raise its fee; if no
single coin does, the largest ones together, as few as will do.  A replacement spends exactly the
first one's coins: only the fee and the change differ.
"""

from collections.abc import Iterable

from seawall.treasury.chain import Coin, PaymentOrder, RefusedError, Unsigned, UtxoUnsigned
from seawall.treasury.utxo_bytes import COINS_MOST, assemble


class ShortError(RefusedError):
    """No choice of these coins covers the payment and its fee."""


def pay(order: PaymentOrder, coins: Iterable[Coin], prefix: str) -> Unsigned:
    """Return the transaction that pays the order; `coins` are those that may be spent.

    Raises ShortError if they do not suffice, RefusedError if it could never be paid.
    """
    if order.contract:
        raise RefusedError("this network has no tokens")
    own = [coin for coin in coins if coin.address == order.source]
    if order.slots:
        return assemble(order, _named(order.slots, own), prefix)
    free = sorted(own, key=lambda coin: (coin.units, coin.slot))
    for coin in free:
        if coin.units > order.units:
            found = _try(order, [coin], prefix)
            if found is not None and _raisable(found):
                return found
    return _largest(order, free[::-1], prefix)


def _largest(order: PaymentOrder, coins: list[Coin], prefix: str) -> Unsigned:
    enough: Unsigned | None = None
    for count in range(1, min(len(coins), COINS_MOST) + 1):
        found = _try(order, coins[:count], prefix)
        if found is not None and _raisable(found):
            return found
        enough = enough or found
    if enough is None:
        # An order that no coins could pay is told apart from one that lacks coins.
        assemble(order, [_plenty(order)], prefix)
        raise ShortError("insufficient funds in coins that are free")
    return enough


def _try(order: PaymentOrder, coins: list[Coin], prefix: str) -> Unsigned | None:
    try:
        return assemble(order, coins, prefix)
    except RefusedError:
        return None


def _raisable(unsigned: Unsigned) -> bool:
    """Say whether its change could pay the fee once more: a replacement takes it from there."""
    fields = unsigned.fields
    return isinstance(fields, UtxoUnsigned) and fields.change_units >= unsigned.max_cost


def _named(slots: tuple[str, ...], coins: list[Coin]) -> list[Coin]:
    known = {coin.slot: coin for coin in coins}
    for slot in slots:
        if slot not in known:
            raise RefusedError(f"{slot} is spent")
    return [known[slot] for slot in slots]


def _plenty(order: PaymentOrder) -> Coin:
    units = 2 * order.units + 10**6 * (order.quote.most + 1)
    return Coin(slot=f"{'0' * 64}:0", address=order.source, script="", units=units, block=0)
