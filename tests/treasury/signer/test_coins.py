"""The signer's judgement of coins, told as stories and lived at random; published vectors."""

import tempfile
from pathlib import Path

import pytest
from embit import ec
from embit.script import Script, p2pkh_from_p2wpkh, p2wpkh
from embit.transaction import Transaction, TransactionOutput
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.treasury.signer.coin_keys import (
    ALICE,
    BOB,
    COLD,
    HOT,
    PAYMENT,
    PREFIX,
    SECOND_NS,
    WINDOW_S,
    CoinDesk,
    address,
    coin,
    everything,
    payment,
    void,
    worth,
)

from seawall.model.funding import NetworkKind
from seawall.treasury.addresses import DepositAddresses
from seawall.treasury.chain import AddressError, Decoded, UtxoUnsigned
from seawall.treasury.signer.keystore import create_keystore, sign_inputs
from seawall.treasury.signer.messages import AskCoins, AskWho, Refused, Signed, Slots, Who
from seawall.treasury.utxo_bytes import decode_signed, script_of

# BIP143, "Native P2WPKH": the transaction, the key of its second input, what signing that gives.
BIP143_RAW = (
    "0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000000eeffffff"
    "ef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206"
    "000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42db"
    "ee7e4dbe6a21b2d50ce2f0167faa815988ac11000000"
)
BIP143_KEY = "619c335025c7f4012e556c2a58b2506e30b8511b53ade95ea316fd8c3286feb9"
BIP143_DIGEST = "c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670"
BIP143_SIGNATURE = (
    "304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a"
    "0220573a954c4518331561406f90300e8f3358f51928d43c212a8caed02de67eebee01"
)
# BIP84's test vectors: the seed of its twelve words, the first two receiving addresses.
BIP84_SEED = (
    "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1"
    "9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4"
)
BIP84_ADDRESSES = (
    "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
    "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g",
)
# BIP173's test vectors.
BIP173_GOOD = {
    "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4": "0014751e76e8199196d454941c45d1b3a323f1433bd6",
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7": (
        "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262"
    ),
}
BIP173_BAD = (
    "tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
    "BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2",
    "bc1rw5uspcuh",
    "bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90",
    "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sL5k7",
    "bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du",
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3pjxtptv",
    "bc1gmk9yu",
)


@pytest.fixture
def desk(tmp_path: Path) -> CoinDesk:
    return CoinDesk(tmp_path)


def decoded(desk: CoinDesk, fields: UtxoUnsigned, name: str = "w/1") -> Decoded:
    answer = desk.ask(fields, name)
    assert isinstance(answer, Signed), answer
    return decode_signed(bytes.fromhex(answer.signed), PREFIX)


def test_signatures_are_those_of_bip143() -> None:
    key = ec.PrivateKey(bytes.fromhex(BIP143_KEY))
    signed = sign_inputs(bytes.fromhex(BIP143_RAW), [0, 600_000_000], key)
    signature, public = signed.vin[1].witness.items
    assert (signature.hex(), public) == (BIP143_SIGNATURE, key.get_public_key().sec())
    code = p2pkh_from_p2wpkh(p2wpkh(key.get_public_key()))
    assert signed.sighash_segwit(1, code, 600_000_000).hex() == BIP143_DIGEST


def test_addresses_are_those_of_bip84(tmp_path: Path) -> None:
    keys = create_keystore(
        tmp_path / "keys", "open", wallets=(), deposit_seed=BIP84_SEED, n=1 << 10
    )
    derived = DepositAddresses(keys.coin_deposit_key("bc"), NetworkKind.UTXO, "bc")
    for index, expected in enumerate(BIP84_ADDRESSES):
        assert keys.coin_deposit_address(index, "bc") == derived.address(index) == expected
    assert keys.coin_deposit_key("ltc") != keys.coin_deposit_key("bc")
    assert keys.coin_deposit_key("rltc") == keys.coin_deposit_key("tltc"), "test nets have one"


def test_addresses_are_read_as_bip173_says() -> None:
    for good, script in BIP173_GOOD.items():
        assert script_of(good, good[:2].lower()).hex() == script
    for bad in BIP173_BAD:
        for prefix in ("bc", "tb"):
            with pytest.raises(AddressError):
                script_of(bad, prefix)


def test_it_signs_what_it_was_asked_and_nothing_else(desk: CoinDesk) -> None:
    fields = payment(ALICE, 250_000, coins=(coin(1), coin(2)))
    read = decoded(desk, fields)
    assert (read.source, read.payee, read.units) == (HOT, ALICE, 250_000)
    assert read.slots == (coin(1).slot, coin(2).slot)


def test_a_lie_about_a_coin_makes_a_signature_that_nobody_takes(desk: CoinDesk) -> None:
    fields = payment()
    lie = worth(fields, coin(0).units + 5)
    answer = desk.ask(lie, "w/1")
    assert isinstance(answer, Signed)
    sent = Transaction.parse(bytes.fromhex(answer.signed))
    signature, public = sent.vin[0].witness.items
    key = ec.PublicKey.parse(public)
    code = p2pkh_from_p2wpkh(p2wpkh(key))
    found = ec.Signature.parse(signature[:-1])
    assert key.verify(found, sent.sighash_segwit(0, code, coin(0).units + 5))
    assert not key.verify(found, sent.sighash_segwit(0, code, coin(0).units))
    # Nor is the truth signed afterwards: two half-true signatures could be joined.
    assert desk.outcome(fields) == "strange_coin"
    desk.restart()
    assert desk.outcome(payment(coins=(coin(0), coin(1)))) == "strange_coin"


def test_the_same_request_gets_the_same_bytes_after_a_restart_too(desk: CoinDesk) -> None:
    first = desk.ask(payment(), "w/1")
    assert desk.ask(payment(), "w/1") == first
    desk.restart()
    assert desk.ask(payment(), "w/1") == first


def test_a_coin_pays_one_thing_and_a_payment_has_its_coins(desk: CoinDesk) -> None:
    two = (coin(0), coin(1))
    assert desk.outcome(payment(coins=two)) == "Signed"
    desk.restart()
    assert desk.outcome(payment(BOB, coins=two, price=20_000)) == "slot_signed"
    assert desk.outcome(payment(units=99_999, coins=two, price=20_000)) == "slot_signed"
    assert desk.outcome(payment(coins=two, price=20_000), "w/2") == "slot_signed"
    assert desk.outcome(payment(coins=(coin(1),)), "w/2") == "slot_signed"
    assert desk.outcome(payment(coins=(coin(2),))) == "payment_signed"
    assert desk.outcome(payment(coins=(*two, coin(2)), price=20_000)) == "payment_signed"
    assert desk.outcome(payment(coins=(coin(2),)), "w/2") == "Signed"


def test_a_replacement_only_pays_the_network_more(desk: CoinDesk) -> None:
    assert desk.outcome(payment()) == "Signed"
    assert desk.outcome(payment(price=9_000)) == "fee_not_higher"
    assert desk.outcome(payment(price=12_000)) == "Signed"
    assert desk.outcome(payment(price=11_000)) == "fee_not_higher"
    assert desk.outcome(payment(price=100_001)) == "fee_above_cap"
    assert desk.outcome(payment()) == "Signed", "asked again, the first is answered again"
    assert desk.outcome(payment(price=100_000)) == "Signed"


def test_coins_can_be_voided_and_then_pay_nobody(desk: CoinDesk) -> None:
    assert desk.outcome(payment(coins=(coin(0), coin(1)))) == "Signed"
    assert desk.outcome(void(coin(0), coin(1)), "void") == "Signed"
    desk.restart()
    assert desk.outcome(payment(coins=(coin(0), coin(1)))) == "slot_voided"
    assert desk.outcome(payment(coins=(coin(1),)), "w/2") == "slot_voided"
    assert desk.outcome(payment(coins=(coin(2),))) == "Signed", "the payment has other coins now"
    told = desk.service.answer(AskCoins(network="LTC", slots=(coin(0).slot, coin(1).slot)))
    assert isinstance(told, Slots)
    assert [(each.payment, each.voided) for each in told.slots] == [("w/1", True)]


def test_it_tells_what_its_coins_were_signed_for(desk: CoinDesk) -> None:
    two = (coin(0), coin(1))
    desk.ask(payment(coins=two), "w/1")
    newest = desk.ask(payment(coins=two, price=20_000), "w/1")
    desk.ask(payment(coins=(coin(2),)), "w/2")
    assert isinstance(newest, Signed)
    told = desk.service.answer(
        AskCoins(network="LTC", slots=(coin(1).slot, coin(0).slot, coin(9).slot))
    )
    assert isinstance(told, Slots)
    (only,) = told.slots
    assert (only.payment, only.signed, only.voided) == ("w/1", newest.signed, False)
    assert only.coins == (coin(0).slot, coin(1).slot)
    fields = payment(coins=two, price=20_000)
    assert only.max_cost == 2_000_000 - fields.units - fields.change_units


def tampered(fields: UtxoUnsigned, what: str) -> UtxoUnsigned:
    raw = Transaction.parse(bytes.fromhex(fields.raw))
    match what:
        case "change elsewhere":
            raw.vout[1].script_pubkey = Script(script_of(BOB, PREFIX))
        case "one output more":
            raw.vout.append(TransactionOutput(1, Script(script_of(BOB, PREFIX))))
        case "another amount":
            raw.vout[0].value += 1
        case "another payee":
            raw.vout[0].script_pubkey = Script(script_of(BOB, PREFIX))
        case "another coin":
            raw.vin[0].vout += 1
        case "locked":
            raw.locktime = 500
        case "final":
            raw.vin[0].sequence = 0xFFFFFFFF
    return replace(fields, raw=bytes(raw.serialize()).hex())


@pytest.mark.parametrize(
    "what",
    ["change elsewhere", "one output more", "another amount", "another payee", "another coin",
     "locked", "final"],
)  # fmt: skip
def test_bytes_that_are_not_what_the_fields_say(desk: CoinDesk, what: str) -> None:
    assert desk.outcome(tampered(payment(), what)) == "unreadable"


@pytest.mark.parametrize(
    "change",
    [
        {"raw": "00"}, {"raw": "zz"}, {"raw": ""}, {"coins": ()}, {"coins": (coin(0), coin(0))},
        {"change_units": 1}, {"change": BOB}, {"units": 99_999}, {"payee": BOB},
        {"coins": (coin(0, 100),)}, {"coins": (coin(0, -1),)}, {"coins": (coin(0, owner=BOB),)},
    ],
)  # fmt: skip
def test_fields_that_do_not_fit(desk: CoinDesk, change: dict[str, object]) -> None:
    assert desk.outcome(replace(payment(), **change)) in {"unreadable", "unknown_source"}


def test_only_our_own_coins_are_signed_for(desk: CoinDesk) -> None:
    assert desk.outcome(payment(coins=(coin(0, owner=BOB),))) == "unknown_source"
    first = desk.keys.coin_deposit_address(0, PREFIX)
    assert desk.outcome(payment(coins=(coin(0, owner=first),))) == "unknown_source"
    at_first = coin(0, owner=first)
    assert desk.outcome(everything(HOT, at_first), "sweep", 1) == "unknown_source"
    assert desk.outcome(everything(ALICE, at_first), "sweep", 0) == "not_own_payee"
    assert desk.outcome(everything(COLD, at_first), "sweep", 0) == "Signed"
    at_first = coin(1, owner=first)
    assert desk.outcome(everything(HOT, at_first), "sweep/1", 0) == "Signed", "a key of its own"


def test_limits_count_amounts_and_fees_and_survive_a_restart(desk: CoinDesk) -> None:
    assert desk.outcome(payment(units=PAYMENT + 1)) == "above_payment_limit"
    assert desk.outcome(payment(units=PAYMENT)) == "Signed"
    desk.restart()
    left = payment(units=400_000, coins=(coin(1),))
    assert desk.outcome(left, "w/2") == "above_window_limit", "the fees count too"
    assert desk.outcome(everything(COLD, coin(2)), "cold") == "Signed", "what is ours counts fees"
    assert desk.outcome(payment(units=390_000, coins=(coin(1),)), "w/2") == "Signed"
    desk.now_ns += (WINDOW_S + 1) * SECOND_NS
    assert desk.outcome(payment(units=PAYMENT, coins=(coin(3),)), "w/3") == "Signed"


def test_it_says_who_it_is_on_each_network(desk: CoinDesk) -> None:
    who = desk.service.answer(AskWho(network="LTC"))
    assert who == Who(wallets=(HOT,), deposit_key=desk.keys.coin_deposit_key(PREFIX))
    plain = desk.service.answer(AskWho())
    assert plain == Who(wallets=tuple(desk.keys.wallets()), deposit_key=desk.keys.deposit_key())


requests = st.tuples(
    st.sampled_from(["pay", "pay", "pay", "void", "restart"]),
    st.sampled_from([ALICE, BOB, address("carol")]),
    st.sampled_from([50_000, 60_000]),
    st.lists(st.integers(0, 4), min_size=1, max_size=3, unique=True),
    st.integers(1, 5),
    st.sampled_from(["w/1", "w/2", "w/3"]),
)


@settings(max_examples=60, deadline=None)
@given(lived=st.lists(requests, min_size=5, max_size=40))
def test_whatever_is_asked_no_two_payments_can_both_be_mined(
    lived: list[tuple[str, str, int, list[int], int, str]],
) -> None:
    """Of what was signed, any two that may pay somebody twice share a coin, or one is voided."""
    with tempfile.TemporaryDirectory() as folder:
        desk = CoinDesk(Path(folder))
        paid: list[tuple[str, Decoded]] = []
        voided: set[str] = set()
        for what, payee, units, numbers, price, name in lived:
            coins = tuple(coin(number) for number in numbers)
            if what == "restart":
                desk.restart()
                continue
            fields = (
                void(*coins, price=price * 9_000)
                if what == "void"
                else payment(payee, units, coins=coins, price=price * 9_000)
            )
            answer = desk.ask(fields, f"void/{numbers}" if what == "void" else name)
            if isinstance(answer, Refused):
                continue
            assert isinstance(answer, Signed)
            read = decode_signed(bytes.fromhex(answer.signed), PREFIX)
            if what == "void":
                voided.update(read.slots)
                continue
            assert not voided & set(read.slots)
            for other_name, other in paid:
                shared = set(other.slots) & set(read.slots)
                if other_name == name:
                    same = (other.payee, other.units, other.slots)
                    assert same == (read.payee, read.units, read.slots) or (
                        voided & set(other.slots)
                    )
                else:
                    assert not shared
            paid.append((name, read))
        desk.store.close()
