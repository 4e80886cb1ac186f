"""The signer's judgement, told as stories and lived at random."""

import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.treasury.signer.vault_keys import (
    ALICE,
    BOB,
    COIN_WINDOW,
    COLD,
    GAS,
    GWEI,
    HOT,
    OTHER_TOKEN,
    SETTINGS,
    TOKEN,
    TOKEN_WINDOW,
    WINDOW_S,
    make_keys,
    payment,
    transfer_data,
    void,
)

from seawall.model.funding import NetworkKind
from seawall.treasury.addresses import DepositAddresses
from seawall.treasury.chain import EvmUnsigned, UtxoUnsigned
from seawall.treasury.signer.keystore import (
    FileKeyStore,
    KeyStore,
    KeyStoreError,
    import_v3,
)
from seawall.treasury.signer.messages import (
    SIGNED_AT_ONCE,
    Answer,
    AskSlots,
    AskWho,
    Failed,
    Refusal,
    Refused,
    Sign,
    Signed,
    SignedMany,
    SignMany,
    Slots,
    Who,
)
from seawall.treasury.signer.policy import Signature
from seawall.treasury.signer.service import SignerService
from seawall.treasury.signer.settings import SignerSettingsError, load_settings
from seawall.treasury.signer.store import SignatureStore, StoreError

SECOND_NS = 10**9


class Desk:
    """A signer over a folder, with a clock that is set by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_ns = 1_000_000 * SECOND_NS
        path = folder / "keys"
        self.keys: KeyStore = FileKeyStore.open(path, "open") if path.exists() else make_keys(path)
        self.open()

    def open(self) -> None:
        self.store = SignatureStore(self.folder / "signatures.sqlite")
        self.service = SignerService(SETTINGS, self.keys, self.store, lambda: self.now_ns)

    def restart(self) -> None:
        self.store.close()
        self.open()

    def ask(
        self, fields: EvmUnsigned | UtxoUnsigned, name: str, index: int | None = None
    ) -> Answer:
        return self.service.answer(Sign(network="ETH", payment=name, fields=fields, index=index))

    def outcome(self, fields: EvmUnsigned | UtxoUnsigned, name: str = "w/1") -> str:
        answer = self.ask(fields, name)
        return answer.reason.value if isinstance(answer, Refused) else type(answer).__name__


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_it_signs_what_it_was_asked_and_nothing_else(desk: Desk) -> None:
    answer = desk.ask(payment(ALICE, 250, nonce=3), "w/1")
    assert isinstance(answer, Signed)
    raw = bytes.fromhex(answer.signed)
    assert Account.recover_transaction(raw) == HOT
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    assert fields["nonce"] == 3
    assert "0x" + bytes(fields["to"]).hex() == TOKEN.lower()
    assert "0x" + bytes(fields["data"]).hex() == transfer_data(ALICE, 250)
    assert fields["value"] == 0
    assert fields["chainId"] == 31_337
    assert fields["maxFeePerGas"] == 10 * GWEI


def test_the_same_request_gets_the_same_bytes_after_a_restart_too(desk: Desk) -> None:
    first = desk.ask(payment(), "w/1")
    assert desk.ask(payment(), "w/1") == first
    desk.restart()
    assert desk.ask(payment(), "w/1") == first


def test_a_slot_pays_one_thing(desk: Desk) -> None:
    assert desk.outcome(payment()) == "Signed"
    desk.restart()
    assert desk.outcome(payment(BOB, most=20)) == "slot_signed"
    assert desk.outcome(payment(units=99, most=20)) == "slot_signed"
    assert desk.outcome(payment(units=100, contract="", most=20)) == "slot_signed"
    assert desk.outcome(payment(most=20), "w/2") == "slot_signed"
    assert desk.outcome(payment(nonce=1), "w/1") == "payment_signed"
    assert desk.outcome(payment(nonce=1), "w/2") == "Signed"


def test_fees_only_go_up(desk: Desk) -> None:
    assert desk.outcome(payment(most=10)) == "Signed"
    assert desk.outcome(payment(most=9)) == "fee_not_higher"
    assert desk.outcome(payment(most=12, tip=0)) == "fee_not_higher"
    assert desk.outcome(payment(most=12)) == "Signed"
    assert desk.outcome(payment(most=11)) == "fee_not_higher"
    assert desk.outcome(payment(most=101)) == "fee_above_cap"
    assert desk.outcome(payment(most=10)) == "Signed", "asked again, the first is answered again"


def test_a_slot_can_be_voided_and_then_pays_nobody(desk: Desk) -> None:
    assert desk.outcome(payment()) == "Signed"
    assert desk.outcome(void(0), "void/0") == "Signed"
    assert desk.outcome(payment(most=30)) == "slot_voided"
    assert desk.outcome(payment()) == "slot_voided"
    assert desk.outcome(void(0, most=30), "void/0") == "Signed"
    assert desk.outcome(payment(nonce=1)) == "Signed", "the payment may have another slot now"
    answer = desk.service.answer(AskSlots(network="ETH", lane=HOT, from_nonce=0))
    assert isinstance(answer, Slots)
    found = [(slot.nonce, slot.payment, slot.voided) for slot in answer.slots]
    assert found == [(0, "w/1", True), (1, "w/1", False)]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (payment(chain_id=1), "wrong_chain"),
        (payment(source=BOB), "unknown_source"),
        (payment(contract=OTHER_TOKEN), "unknown_asset"),
        (payment(units=601), "above_payment_limit"),
        (payment(units=COIN_WINDOW, contract=""), "above_payment_limit"),
        (payment(most=5, tip=6), "unreadable"),
        (payment(payee="0x12", contract=""), "unreadable"),
        (
            UtxoUnsigned(coins=(), payee="x", units=1, change="", change_units=0, raw=""),
            "unreadable",
        ),
    ],
)
def test_what_is_refused(desk: Desk, fields: EvmUnsigned | UtxoUnsigned, reason: str) -> None:
    assert desk.outcome(fields) == reason
    assert desk.service.answer(AskSlots(network="ETH", lane=HOT, from_nonce=0)) == Slots(slots=())


@pytest.mark.parametrize(
    "data",
    [
        "0x095ea7b3" + transfer_data(ALICE, 1)[10:],  # approve
        transfer_data(ALICE, 1) + "00",
        transfer_data(ALICE, 1)[:-2],
        transfer_data(ALICE, 1).replace("0xa9059cbb00", "0xa9059cbb01"),
        "0xa9059cbb",
        "zz",
    ],
)
def test_data_that_is_no_plain_transfer(desk: Desk, data: str) -> None:
    fields = payment()
    changed = EvmUnsigned(
        chain_id=fields.chain_id,
        source=fields.source,
        nonce=0,
        to=fields.to,
        value=0,
        data=data,
        gas=fields.gas,
        tip_per_gas=1,
        most_per_gas=1,
    )
    assert desk.outcome(changed) == "unreadable"


def test_the_window_limits_and_slides_and_survives_a_restart(desk: Desk) -> None:
    assert desk.outcome(payment(units=600), "w/1") == "Signed"
    assert desk.outcome(payment(units=401, nonce=1), "w/2") == "above_window_limit"
    assert desk.outcome(payment(units=400, nonce=1), "w/2") == "Signed"
    desk.restart()
    assert desk.outcome(payment(units=1, nonce=2), "w/3") == "above_window_limit"
    assert desk.outcome(payment(units=600, most=11), "w/1") == "Signed", "a bump pays no more"
    desk.now_ns += WINDOW_S * SECOND_NS - 1
    assert desk.outcome(payment(units=1, nonce=2), "w/3") == "above_window_limit"
    desk.now_ns -= 3_600 * SECOND_NS
    assert desk.outcome(payment(units=1, nonce=2), "w/3") == "above_window_limit", "clock back"
    desk.now_ns += 3_600 * SECOND_NS + 1
    assert desk.outcome(payment(units=1, nonce=2), "w/3") == "Signed"


def test_what_goes_to_own_wallets_counts_only_its_fee(desk: Desk) -> None:
    for nonce in range(3):
        answer = desk.ask(payment(COLD, 600, nonce=nonce), f"move/{nonce}")
        assert isinstance(answer, Signed)
    assert desk.outcome(payment(units=600, nonce=9)) == "Signed"


def test_fees_count_in_the_coins_window(desk: Desk) -> None:
    half = COIN_WINDOW // 2
    assert desk.outcome(payment(units=half, contract="", nonce=0), "w/1") == "Signed"
    left = COIN_WINDOW - half - GAS * 10 * GWEI
    assert desk.outcome(payment(units=left, contract="", nonce=1), "w/2") == "above_window_limit"
    fits = left - GAS * 10 * GWEI
    assert desk.outcome(payment(units=fits, contract="", nonce=1), "w/2") == "Signed"
    assert desk.outcome(payment(units=1, nonce=2), "w/3") == "above_window_limit"


def test_a_deposit_address_pays_only_own_wallets(desk: Desk) -> None:
    source = desk.keys.deposit_address(5)
    assert isinstance(desk.ask(payment(HOT, source=source), "sweep/5", 5), Signed)
    stolen = desk.ask(payment(ALICE, nonce=1, source=source), "sweep/6", 5)
    assert isinstance(stolen, Refused)
    assert stolen.reason.value == "not_own_payee"
    wrong = desk.ask(payment(HOT, nonce=1, source=source), "sweep/6", 6)
    assert isinstance(wrong, Refused)
    assert wrong.reason.value == "unknown_source"


def test_the_public_key_gives_the_same_deposit_addresses(desk: Desk) -> None:
    answer = desk.service.answer(AskWho())
    assert isinstance(answer, Who)
    assert answer.wallets == (HOT,)
    derived = DepositAddresses(answer.deposit_key, NetworkKind.EVM)
    assert derived.address(7) == desk.keys.deposit_address(7)


def test_nothing_leaves_that_could_not_be_written_down(desk: Desk) -> None:
    desk.store.close()
    answer = desk.ask(payment(), "w/1")
    assert isinstance(answer, Failed)
    desk.restart()
    assert desk.service.answer(AskSlots(network="ETH", lane=HOT, from_nonce=0)) == Slots(slots=())


def many(*asked: tuple[EvmUnsigned, str], in_line: bool) -> SignMany:
    requests = [Sign(network="ETH", payment=name, fields=fields) for fields, name in asked]
    return SignMany(requests=tuple(requests), in_line=in_line)


def test_many_are_judged_one_after_the_other_and_written_down_together(desk: Desk) -> None:
    wanted = [
        (payment(nonce=0), "w/1"),
        (payment(BOB, nonce=0), "w/2"),
        (payment(nonce=2), "w/3"),
        (payment(nonce=3), "w/1"),
    ]
    lined = desk.service.answer(many(*wanted, in_line=True))
    assert isinstance(lined, SignedMany)
    first, refused = lined.answers
    assert isinstance(first, Signed)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.SLOT_SIGNED, "what comes after it in line is not signed"
    each = desk.service.answer(many(*wanted, in_line=False))
    assert isinstance(each, SignedMany)
    assert each.answers[:2] == lined.answers
    assert isinstance(each.answers[2], Signed)
    assert isinstance(each.answers[3], Refused)
    assert each.answers[3].reason is Refusal.PAYMENT_SIGNED
    desk.restart()
    assert desk.service.answer(many(*wanted, in_line=False)) == each
    too_many = [(payment(nonce=nonce), f"m/{nonce}") for nonce in range(SIGNED_AT_ONCE + 1)]
    assert isinstance(desk.service.answer(many(*too_many, in_line=False)), Failed)


def test_of_many_none_leaves_unless_all_are_on_disk(desk: Desk) -> None:
    """A full disk: nothing is told of what was signed meanwhile, nor is it forgotten."""
    store = StuckStore(desk.store)
    desk.service = SignerService(SETTINGS, desk.keys, store, lambda: desk.now_ns)
    wanted = many((payment(nonce=0), "w/1"), (payment(nonce=1), "w/2"), in_line=True)
    store.stuck = True
    assert isinstance(desk.service.answer(wanted), Failed)
    slots = AskSlots(network="ETH", lane=HOT, from_nonce=0)
    assert isinstance(desk.service.answer(slots), Failed)
    assert isinstance(desk.service.answer(wanted.requests[0]), Failed)
    assert isinstance(desk.ask(payment(BOB, nonce=0), "w/3"), Failed)
    store.stuck = False
    assert desk.outcome(payment(BOB, nonce=0), "w/3") == "slot_signed"
    answer = desk.service.answer(wanted)
    assert isinstance(answer, SignedMany)
    signed = [each.signed for each in answer.answers if isinstance(each, Signed)]
    assert store.kept == signed
    assert len(signed) == 2
    desk.restart()
    assert desk.service.answer(wanted) == answer


class StuckStore:
    """The real record on a disk that may be full."""

    def __init__(self, store: SignatureStore) -> None:
        self.store = store
        self.kept: list[str] = []
        self.stuck = False

    def read(self) -> list[Signature]:
        return self.store.read()

    def append(self, signatures: Sequence[Signature]) -> None:
        if self.stuck:
            raise StoreError("disk is full")
        self.store.append(signatures)
        self.kept += [each.signed for each in signatures]


def test_a_damaged_record_is_named(desk: Desk, tmp_path: Path) -> None:
    for nonce in range(3):
        desk.ask(payment(nonce=nonce), f"w/{nonce}")
    desk.store.close()
    with sqlite3.connect(tmp_path / "signatures.sqlite") as database:
        database.execute("DELETE FROM signatures WHERE number = 2")
    database.close()
    with pytest.raises(StoreError, match="damaged at 3"):
        desk.restart()


def test_two_signers_cannot_share_a_record(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        SignatureStore(tmp_path / "signatures.sqlite")


def test_a_keystore_opens_with_its_passphrase_only(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    made = make_keys(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert HOT.encode() not in path.read_bytes()
    assert FileKeyStore.open(path, "open").wallets() == made.wallets() == {HOT}
    with pytest.raises(KeyStoreError, match="passphrase"):
        FileKeyStore.open(path, "close")
    with pytest.raises(KeyStoreError, match="exists"):
        make_keys(path)
    path.write_bytes(b'{"version":1}')
    with pytest.raises(KeyStoreError):
        FileKeyStore.open(path, "open")


def test_keys_of_other_clients_can_be_imported(tmp_path: Path) -> None:
    import json

    path = tmp_path / "v3.json"
    path.write_text(
        json.dumps(Account.encrypt(int("11" * 32, 16), "old", kdf="pbkdf2", iterations=10))
    )
    assert Account.from_key(import_v3(path, "old")).address == HOT
    with pytest.raises(KeyStoreError):
        import_v3(path, "wrong")


def test_limits_are_read_and_mistakes_named(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    path.write_text(
        "[networks.ETH]\nchain_id = 1\nown = []\n"
        f"[[networks.ETH.assets]]\npayment_units = {10**20}\nwindow_units = {10**24}\n"
    )
    read = load_settings(path).networks["ETH"]
    assert read.assets[0].window_units == 10**24
    assert read.assets[0].contract == ""
    path.write_text("[networks.ETH]\nchain_id = 1\nassets = []\nno_limit = true\n")
    with pytest.raises(SignerSettingsError, match="no_limit"):
        load_settings(path)


class SignerLife(RuleBasedStateMachine):
    """Any requests in any order, restarts in between, next to a naive account of signatures."""

    @initialize()
    def set_up(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.desk = Desk(Path(self.folder.name))
        self.content: dict[int, tuple[str, str, str, int]] = {}
        self.bytes: dict[EvmUnsigned, Answer] = {}
        self.voided: set[int] = set()
        self.rows: list[tuple[int, int]] = []

    @rule(
        nonce=st.integers(0, 3),
        name=st.sampled_from(["w/1", "w/2", "w/3"]),
        payee=st.sampled_from([ALICE, ALICE, BOB]),
        contract=st.sampled_from([TOKEN, TOKEN, ""]),
        units=st.sampled_from([200, 200, 500]),
        most=st.integers(10, 14),
    )
    def sign(self, nonce: int, name: str, payee: str, contract: str, units: int, most: int) -> None:
        fields = payment(payee, units, contract=contract, nonce=nonce, most=most)
        answer = self.desk.ask(fields, name)
        if not isinstance(answer, Signed):
            return
        assert nonce not in self.voided
        assert self.bytes.setdefault(fields, answer) == answer
        content = (name, payee, contract, units)
        if nonce not in self.content and contract == TOKEN:
            self.rows.append((self.desk.now_ns, units))
        assert self.content.setdefault(nonce, content) == content
        live = [at for at, (who, *_) in self.content.items() if who == name]
        assert len([at for at in live if at not in self.voided]) <= 1, "one live slot a payment"

    @rule(nonce=st.integers(0, 3), most=st.integers(10, 20))
    def void(self, nonce: int, most: int) -> None:
        if isinstance(self.desk.ask(void(nonce, most=most), f"void/{nonce}"), Signed):
            self.voided.add(nonce)
            self.content.setdefault(nonce, ("", "", "", 0))

    @rule(nonce=st.integers(4, 40), units=st.sampled_from([100, 300]))
    def spend(self, nonce: int, units: int) -> None:
        fields = payment(BOB, units, nonce=nonce)
        answer = self.desk.ask(fields, f"s/{nonce}")
        if isinstance(answer, Signed) and fields not in self.bytes:
            self.bytes[fields] = answer
            self.rows.append((self.desk.now_ns, units))

    @rule(seconds=st.sampled_from([0, 1, 40, 100]))
    def wait(self, seconds: int) -> None:
        self.desk.now_ns += seconds * SECOND_NS

    @rule()
    def crash(self) -> None:
        self.desk.restart()

    @invariant()
    def the_window_holds(self) -> None:
        since = self.desk.now_ns - WINDOW_S * SECOND_NS
        assert sum(units for at_ns, units in self.rows if at_ns > since) <= TOKEN_WINDOW

    def teardown(self) -> None:
        self.desk.store.close()
        self.folder.cleanup()


TestSignerLife = SignerLife.TestCase
TestSignerLife.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
