"""Which coins pay, as properties: what is in goes out, fees are as priced, the choice is fixed."""

from hashlib import sha256

import pytest
from embit.ec import PrivateKey
from embit.transaction import Transaction
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.treasury.signer.coin_keys import ALICE, HOT_SECRET, PREFIX, coin

from seawall.treasury.chain import (
    AddressError,
    Coin,
    FeeQuote,
    PaymentOrder,
    RefusedError,
    UtxoUnsigned,
)
from seawall.treasury.signer.keystore import sign_inputs
from seawall.treasury.utxo_bytes import (
    COINS_MOST,
    DUST,
    fee_of,
    gather,
    price_of,
    script_of,
    vbytes_of,
)
from seawall.treasury.utxo_coins import ShortError, pay

HOT = coin(0).address
LEGACY = "LM2WMpR1Rp6j3Sa59cMXMs1SPzj9eXpGc1"
WIDE = "ltc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qmu8tk5"
amounts = st.integers(DUST, 10**9)
prices = st.integers(1_000, 200_000)
purses = st.lists(st.integers(1, 10**9), min_size=1, max_size=30).map(
    lambda units: [coin(number, each) for number, each in enumerate(units)]
)


def order(units: int, price: int, payee: str = ALICE, slots: tuple[str, ...] = ()) -> PaymentOrder:
    quote = FeeQuote(base=1_000, tip=0, most=price)
    return PaymentOrder(source=HOT, payee=payee, contract="", units=units, slots=slots, quote=quote)


def parts(unsigned_fields: object) -> UtxoUnsigned:
    assert isinstance(unsigned_fields, UtxoUnsigned)
    return unsigned_fields


def suffices(coins: list[Coin], units: int, price: int) -> bool:
    """Say naively whether some of the largest coins cover the order without change."""
    largest = sorted((each.units for each in coins), reverse=True)[:COINS_MOST]
    script = script_of(ALICE, PREFIX)
    return any(
        sum(largest[:count]) >= units + fee_of(vbytes_of(count, [script]), price)
        for count in range(1, len(largest) + 1)
    )


@given(coins=purses, units=amounts, price=prices)
def test_what_goes_in_comes_out(coins: list[Coin], units: int, price: int) -> None:
    try:
        made = pay(order(units, price), coins, PREFIX)
    except ShortError:
        assert not suffices(coins, units, price)
        return
    assert suffices(coins, units, price)
    fields = parts(made.fields)
    spent = {each.slot: each for each in coins}
    assert len(set(made.slots)) == len(made.slots) <= COINS_MOST
    assert set(made.slots) <= set(spent)
    total = sum(spent[slot].units for slot in made.slots)
    assert total == units + fields.change_units + made.max_cost
    raw = Transaction.parse(bytes.fromhex(fields.raw))
    assert [int(each.value) for each in raw.vout] == [
        each for each in (units, fields.change_units) if each
    ]
    scripts = [bytes(each.script_pubkey.data) for each in raw.vout]
    least = fee_of(vbytes_of(len(made.slots), scripts), price)
    # Without change the network gets what is too little to keep.
    assert made.max_cost == least if fields.change_units else made.max_cost >= least
    assert fields.change_units == 0 or fields.change_units >= DUST
    dear = fee_of(vbytes_of(len(made.slots), [*scripts, scripts[0]]), price)
    assert made.max_cost < dear + DUST


@given(coins=purses, units=amounts, price=prices, data=st.data())
def test_the_choice_is_fixed_whatever_the_order_of_the_coins(
    coins: list[Coin], units: int, price: int, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(coins))
    try:
        made = pay(order(units, price), coins, PREFIX)
    except ShortError:
        with pytest.raises(ShortError):
            pay(order(units, price), shuffled, PREFIX)
        return
    assert pay(order(units, price), shuffled, PREFIX) == made
    # Nothing that is not needed is spent.
    if len(made.slots) > 1:
        single = [each for each in coins if each.units >= 2 * units + 10**8]
        assert not single


@given(coins=purses, units=amounts, price=prices, more=st.integers(1, 100_000))
def test_a_replacement_differs_in_fee_and_change_only(
    coins: list[Coin], units: int, price: int, more: int
) -> None:
    try:
        first = pay(order(units, price), coins, PREFIX)
        second = pay(order(units, price + more, slots=first.slots), coins, PREFIX)
    except RefusedError:
        return
    assert second.slots == first.slots
    before, after = parts(first.fields), parts(second.fields)
    assert (before.payee, before.units) == (after.payee, after.units)
    assert second.max_cost >= first.max_cost
    assert before.change_units - after.change_units == second.max_cost - first.max_cost


@given(units=st.integers(DUST, 10**8), price=st.integers(1_000, 100_000))
def test_a_payment_of_enough_coin_can_be_raised(units: int, price: int) -> None:
    coins = [coin(number, each) for number, each in enumerate((units + 10**6, units + 10**9))]
    first = pay(order(units, price), coins, PREFIX)
    second = pay(order(units, 2 * price - 1, slots=first.slots), coins, PREFIX)
    assert second.max_cost > first.max_cost


@pytest.mark.parametrize("payee", [ALICE, LEGACY, WIDE])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_size_is_that_of_the_signed_bytes(payee: str, count: int) -> None:
    coins = [coin(number) for number in range(count)]
    made = pay(order(900_000 * count, 10_000, payee, tuple(c.slot for c in coins)), coins, PREFIX)
    from_key = PrivateKey(HOT_SECRET)
    signed = sign_inputs(bytes.fromhex(parts(made.fields).raw), [c.units for c in coins], from_key)
    whole, bare = len(signed.serialize()), len(parts(made.fields).raw) // 2
    vbytes = -(-(3 * bare + whole) // 4)
    said = made.max_cost // 10
    # A signature is a byte or two shorter than the longest there is.
    assert vbytes <= said <= vbytes + count
    assert 10_000 <= price_of(bytes(signed.serialize()), made.max_cost) < 10_100


def test_gathering_leaves_nothing_behind() -> None:
    coins = [coin(number, 10_000 * (number + 1)) for number in range(5)]
    made = gather(HOT, ALICE, coins, 10_000, PREFIX)
    fields = parts(made.fields)
    assert fields.units + made.max_cost == 150_000
    assert (fields.change, fields.change_units) == ("", 0)
    with pytest.raises(RefusedError, match="not worth their fee"):
        gather(HOT, ALICE, [coin(0, DUST)], 10_000, PREFIX)


def test_what_no_coins_could_pay_is_told_from_a_lack_of_coins() -> None:
    coins = [coin(0, 20_000)]
    with pytest.raises(ShortError):
        pay(order(10**6, 10_000), coins, PREFIX)
    with pytest.raises(ShortError):
        pay(order(10**6, 10_000), [], PREFIX)
    for wrong in (order(DUST - 1, 10_000), replace(order(10_000, 10_000), contract="token")):
        with pytest.raises(RefusedError) as refused:
            pay(wrong, coins, PREFIX)
        assert not isinstance(refused.value, ShortError)
    with pytest.raises(AddressError):
        pay(
            order(10_000, 10_000, payee="bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"), coins, PREFIX
        )
    stranger = replace(coin(1, 10**8), address=ALICE, slot=f"{sha256(b'x').hexdigest()}:0")
    with pytest.raises(ShortError):
        pay(order(10**6, 10_000), [stranger], PREFIX)
