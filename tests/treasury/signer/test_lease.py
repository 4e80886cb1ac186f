"""The signer's own lease: told as stories, and lived at random with clocks that are set by hand."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from msgspec.structs import replace
from tests.treasury.signer import coin_keys
from tests.treasury.signer.vault_keys import (
    ALICE,
    BOB,
    COLD,
    SETTINGS,
    make_keys,
    payment,
    void,
)

from seawall.treasury.chain import EvmUnsigned
from seawall.treasury.signer.keystore import FileKeyStore
from seawall.treasury.signer.lease import SignerLease
from seawall.treasury.signer.messages import (
    LeaseLeft,
    Refused,
    RenewLease,
    Sign,
    Signed,
    SignedMany,
    SignMany,
)
from seawall.treasury.signer.service import SignerService
from seawall.treasury.signer.settings import SignerSettingsError, load_settings
from seawall.treasury.signer.store import SignatureStore

LEASE_S = 4
MS_NS = 10**6


class Desk:
    """A signer with a lease; the wall clock stands still, the other one is set by hand."""

    def __init__(self, folder: Path, lease_s: int = LEASE_S) -> None:
        self.folder = folder
        self.lease_s = lease_s
        self.boot_ns = 10**9
        path = folder / "keys"
        self.keys = FileKeyStore.open(path, "open") if path.exists() else make_keys(path)
        self.open()

    def open(self) -> None:
        self.store = SignatureStore(self.folder / "signatures.sqlite")
        limits = replace(SETTINGS, lease_s=self.lease_s)
        lease = SignerLease(self.lease_s, lambda: self.boot_ns)
        self.service = SignerService(limits, self.keys, self.store, lambda: 10**18, lease=lease)

    def restart(self) -> None:
        self.store.close()
        self.open()

    def renew(self, number: int, valid_ms: int = LEASE_S * 1_000) -> LeaseLeft:
        answer = self.service.answer(RenewLease(number=number, valid_ms=valid_ms))
        assert isinstance(answer, LeaseLeft)
        return answer

    def outcome(self, fields: EvmUnsigned, name: str, index: int | None = None) -> str:
        request = Sign(network="ETH", payment=name, fields=fields, index=index)
        answer = self.service.answer(request)
        return answer.reason.value if isinstance(answer, Refused) else type(answer).__name__


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_nobody_is_paid_until_somebody_says_that_all_is_well(desk: Desk) -> None:
    assert desk.outcome(payment(), "w/1") == "lease_run_out"
    assert desk.renew(1) == LeaseLeft(needed=True, number=1, left_ms=4_000)
    assert desk.outcome(payment(), "w/1") == "Signed"
    desk.boot_ns += 4_000 * MS_NS
    assert desk.outcome(payment(nonce=1), "w/2") == "lease_run_out"
    # What was signed is signed again, as it was or at a better price: it pays nobody twice.
    assert desk.outcome(payment(), "w/1") == "Signed"
    assert desk.outcome(payment(most=20, tip=2), "w/1") == "Signed"
    assert desk.outcome(payment(BOB), "w/1") == "slot_signed"


def test_the_exchange_may_always_pay_itself_and_void_what_it_signed(desk: Desk) -> None:
    assert desk.outcome(payment(COLD, nonce=0), "move/canary/k1") == "Signed"
    assert desk.outcome(void(nonce=1), "move/void/1") == "Signed"
    sweep = payment(COLD, nonce=0, source=desk.keys.deposit_address(3))
    request = Sign(network="ETH", payment="move/sweep", fields=sweep, index=3)
    assert isinstance(desk.service.answer(request), Signed)
    assert desk.outcome(payment(nonce=2), "w/1") == "lease_run_out"


def test_coin_for_sweeping_goes_to_a_deposit_address_of_these_keys_only(desk: Desk) -> None:
    def asked(payee: str, nonce: int, payee_index: int | None) -> str:
        fields = payment(payee, 1_000, contract="", nonce=nonce)
        request = Sign(
            network="ETH", payment=f"move/gas/{nonce}", fields=fields, payee_index=payee_index
        )
        answer = desk.service.answer(request)
        return answer.reason.value if isinstance(answer, Refused) else type(answer).__name__

    ours = desk.keys.deposit_address(3)
    assert asked(ours, 0, 3) == "Signed"
    assert asked(ours, 1, 4) == "lease_run_out"
    assert asked(ours, 1, None) == "lease_run_out"
    assert asked(ALICE, 1, 3) == "lease_run_out"


def test_coins_are_kept_by_the_same_lease(tmp_path: Path) -> None:
    desk = coin_keys.CoinDesk(tmp_path)
    boot_ns = [10**9]
    desk.service = SignerService(
        coin_keys.SETTINGS,
        desk.keys,
        desk.store,
        lambda: desk.now_ns,
        coin_keys=desk.keys,
        lease=SignerLease(LEASE_S, lambda: boot_ns[0]),
    )
    assert desk.outcome(coin_keys.payment()) == "lease_run_out"
    to_cold = coin_keys.payment(coin_keys.COLD, coins=(coin_keys.coin(1),))
    assert desk.outcome(to_cold, "move/canary/k1") == "Signed"
    desk.service.answer(RenewLease(number=1, valid_ms=4_000))
    assert desk.outcome(coin_keys.payment()) == "Signed"
    boot_ns[0] += 4_000 * MS_NS
    assert desk.outcome(coin_keys.payment()) == "Signed"
    assert desk.outcome(coin_keys.payment(price=20_000)) == "Signed", "a better price"
    other = coin_keys.payment(coins=(coin_keys.coin(2),))
    assert desk.outcome(other, "w/2") == "lease_run_out"
    assert desk.outcome(coin_keys.void(coin_keys.coin(0), price=40_000), "void") == "Signed"


def test_in_line_the_first_refusal_ends_it(desk: Desk) -> None:
    desk.renew(1)
    assert desk.outcome(payment(nonce=0), "w/1") == "Signed"
    desk.boot_ns += 10_000 * MS_NS
    asked = tuple(
        Sign(network="ETH", payment=f"w/{each + 1}", fields=payment(nonce=each)) for each in (0, 1)
    )
    answer = desk.service.answer(SignMany(requests=asked, in_line=True))
    assert isinstance(answer, SignedMany)
    assert [type(each).__name__ for each in answer.answers] == ["Signed", "Refused"]


def test_a_renewal_is_taken_once_in_order_and_for_no_longer_than_the_settings_say(
    desk: Desk,
) -> None:
    assert desk.renew(5, valid_ms=3_600_000).left_ms == 4_000
    desk.boot_ns += 3_000 * MS_NS
    for late in (5, 4, 0, -1):
        assert desk.renew(late) == LeaseLeft(needed=True, number=5, left_ms=1_000)
    assert desk.renew(6, valid_ms=0).left_ms == 0, "a newer word may also take it back"
    assert desk.renew(7, valid_ms=-5).left_ms == 0
    assert desk.outcome(payment(), "w/1") == "lease_run_out"
    desk.renew(8)
    desk.restart()
    assert desk.outcome(payment(), "w/1") == "lease_run_out", "a signer begins without one"


def test_a_signer_that_asks_for_no_lease_pays_without(tmp_path: Path) -> None:
    desk = Desk(tmp_path, lease_s=0)
    assert desk.outcome(payment(), "w/1") == "Signed"
    assert desk.renew(1) == LeaseLeft(needed=False, number=1, left_ms=0)


def test_a_lease_of_minutes_is_refused_at_start(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    assets = "[networks.ETH]\nchain_id = 1\nassets = []\n"
    path.write_text(f"lease_s = 4\n{assets}")
    assert load_settings(path).lease_s == 4
    for wrong in (-1, 16, 600):
        path.write_text(f"lease_s = {wrong}\n{assets}")
        with pytest.raises(SignerSettingsError, match="lease_s"):
            load_settings(path)


class LeaseLife(RuleBasedStateMachine):
    """Renewals late, repeated and lying; sleeps; restarts: no user is paid outside of a lease."""

    @initialize()
    def set_up(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.desk = Desk(Path(self.folder.name))
        self.number = 0
        self.until_ns = 0
        self.nonce = 0
        self.signed: list[tuple[EvmUnsigned, str]] = []

    @rule(number=st.integers(0, 30), valid_ms=st.sampled_from([0, 1, 500, 2_000, 4_000, 10**9]))
    def renew(self, number: int, valid_ms: int) -> None:
        if number > self.number:
            self.number = number
            self.until_ns = self.desk.boot_ns + min(valid_ms, 4_000) * MS_NS
        left = self.desk.renew(number, valid_ms)
        assert left.number == self.number
        assert left.left_ms == max(self.until_ns - self.desk.boot_ns, 0) // MS_NS

    @rule(ms=st.sampled_from([1, 400, 1_500, 3_999, 4_000, 60_000]))
    def wait(self, ms: int) -> None:
        self.desk.boot_ns += ms * MS_NS

    @rule(payee=st.sampled_from([ALICE, BOB, COLD]))
    def pay(self, payee: str) -> None:
        fields, name = payment(payee, 1, nonce=self.nonce), f"w/{self.nonce}"
        lives = self.desk.boot_ns < self.until_ns
        wanted = "Signed" if lives or payee == COLD else "lease_run_out"
        assert self.desk.outcome(fields, name) == wanted
        if wanted == "Signed":
            self.signed.append((fields, name))
            self.nonce += 1

    @rule(data=st.data())
    def ask_again(self, data: st.DataObject) -> None:
        if self.signed:
            fields, name = data.draw(st.sampled_from(self.signed))
            assert self.desk.outcome(fields, name) == "Signed"

    @rule()
    def restart(self) -> None:
        self.desk.restart()
        self.number, self.until_ns = 0, 0

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.desk.store.close()
            rows = SignatureStore(self.desk.folder / "signatures.sqlite").read()
            assert [(row.plan.fields, row.plan.payment) for row in rows] == self.signed
            self.folder.cleanup()


LeaseLife.TestCase.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
TestLeaseLife = LeaseLife.TestCase
