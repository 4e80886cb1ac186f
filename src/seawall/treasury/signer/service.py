"""The signer without its socket.  The rule: judge, sign, write down, and only then answer."""

from collections.abc import Callable, Sequence
from typing import Protocol

from eth_utils.address import is_address

from seawall.treasury.chain import EvmUnsigned, UtxoUnsigned
from seawall.treasury.evm_codec import checksummed
from seawall.treasury.signer.coin_policy import CoinPolicy
from seawall.treasury.signer.content import read_evm
from seawall.treasury.signer.keystore import (
    CoinKeyStore,
    KeyStore,
    KeyStoreError,
    SignedBytes,
)
from seawall.treasury.signer.lease import SignerLease
from seawall.treasury.signer.messages import (
    SIGNED_AT_ONCE,
    Answer,
    AskCoins,
    AskSlots,
    AskWho,
    Failed,
    LeaseLeft,
    Refusal,
    Refused,
    RenewLease,
    Request,
    Sign,
    Signed,
    SignedMany,
    SignMany,
    Slots,
    Who,
)
from seawall.treasury.signer.policy import Plan, Signature, SignerPolicy
from seawall.treasury.signer.settings import SignerSettings
from seawall.treasury.signer.store import StoreError


class Record(Protocol):
    """What was signed; see store.py."""

    def read(self) -> list[Signature]: ...

    def append(self, signatures: Sequence[Signature]) -> None:
        """Return once all of them are on disk, or raise StoreError."""


class SignerService:
    """Policy, keys and record put together; one request at a time."""

    def __init__(
        self,
        settings: SignerSettings,
        keys: KeyStore,
        store: Record,
        now_ns: Callable[[], int],
        coin_keys: CoinKeyStore | None = None,
        lease: SignerLease | None = None,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._coin_keys = coin_keys
        self._store = store
        self._now_ns = now_ns
        self._lease = lease or SignerLease(settings.lease_s)
        self._policy = SignerPolicy(settings)
        self._coins = CoinPolicy(settings, self.coin_wallets())
        self._unwritten: list[Signature] = []
        """Made and judged by, but not known to be on disk: until they are, nothing is told."""
        for signature in store.read():
            self._record(signature)

    def coin_wallets(self) -> dict[str, frozenset[str]]:
        """Return the hot wallets' addresses on each UTXO network of the settings."""
        if self._coin_keys is None:
            return {}
        return {
            name: self._coin_keys.coin_wallets(network.prefix)
            for name, network in self._settings.networks.items()
            if network.prefix
        }

    def answer(self, request: Request) -> Answer:
        """Answer a request; `Failed` and `Refused` mean that nothing new was signed."""
        try:
            self._write_down()
            match request:
                case Sign():
                    (answer,) = self._sign_all((request,), in_line=True)
                    return answer
                case SignMany() if len(request.requests) > SIGNED_AT_ONCE:
                    return Failed(detail=f"more than {SIGNED_AT_ONCE} at once")
                case SignMany():
                    return SignedMany(
                        answers=self._sign_all(request.requests, in_line=request.in_line)
                    )
                case _:
                    return self._tell(request)
        except StoreError as error:
            return Failed(detail=f"the record of signatures: {error}")

    def _tell(
        self, request: AskSlots | AskCoins | AskWho | RenewLease
    ) -> Slots | Who | LeaseLeft | Failed:
        match request:
            case RenewLease():
                return self._lease.renew(request)
            case AskSlots():
                lane = checksummed(request.lane) if is_address(request.lane) else ""
                found = self._policy.slots(request.network, lane, request.from_nonce)
                return Slots(slots=found)
            case AskCoins():
                return Slots(slots=self._coins.slots(request.network, request.slots))
            case AskWho():
                return self._who(self._prefix(request.network))

    def _prefix(self, network: str) -> str:
        """Return the address prefix of a UTXO network; "" for every other."""
        limits = self._settings.networks.get(network)
        return limits.prefix if limits else ""

    def _who(self, prefix: str) -> Who | Failed:
        if not prefix:
            found, deposit_key = self._keys.wallets(), self._keys.deposit_key()
        elif self._coin_keys is None:
            return Failed(detail="this keystore signs for no coins")
        else:
            found = self._coin_keys.coin_wallets(prefix)
            deposit_key = self._coin_keys.coin_deposit_key(prefix)
        return Who(wallets=tuple(sorted(found)), deposit_key=deposit_key)

    def _sign_all(self, requests: Sequence[Sign], *, in_line: bool) -> tuple[Signed | Refused, ...]:
        """Return the answers once all that was signed is on disk, or raise StoreError."""
        answers: list[Signed | Refused] = []
        for request in requests:
            answers.append(self._sign(request))
            if in_line and isinstance(answers[-1], Refused):
                break
        self._write_down()
        return tuple(answers)

    def _sign(self, request: Sign) -> Signed | Refused:
        try:
            at_ns = self._now_ns()
            prefix = self._prefix(request.network)
            policy = self._coins if prefix else self._policy
            wallets = self._sources(request.index, prefix)
            leased = self._lease.lives() or self._pays_deposit_address(request)
            decision = policy.decide(request, at_ns=at_ns, wallets=wallets, leased=leased)
            if isinstance(decision, Refused):
                return decision
            if isinstance(decision, Plan):
                made = self._made(decision)
                decision = Signature(
                    at_ns=at_ns, plan=decision, tx_id=made.tx_id, signed=made.raw.hex()
                )
                self._record(decision)
                self._unwritten.append(decision)
        except KeyStoreError as error:
            return Refused(reason=Refusal.UNKNOWN_SOURCE, detail=str(error))
        return Signed(tx_id=decision.tx_id, signed=decision.signed)

    def _write_down(self) -> None:
        """Put on disk what is not yet; after a failure it is tried again before the next answer."""
        if self._unwritten:
            self._store.append(self._unwritten)
            self._unwritten.clear()

    def _sources(self, index: int | None, prefix: str) -> frozenset[str]:
        """Return the addresses that may be signed for."""
        if not prefix:
            known = index is None
            found = self._keys.wallets() if known else {self._keys.deposit_address(index or 0)}
            return frozenset(found)
        if self._coin_keys is None:
            raise KeyStoreError("this keystore signs for no coins")
        if index is None:
            return self._coin_keys.coin_wallets(prefix)
        return frozenset({self._coin_keys.coin_deposit_address(index, prefix)})

    def _pays_deposit_address(self, request: Sign) -> bool:
        """Say whether it pays a deposit address of these very keys."""
        if request.payee_index is None or not isinstance(request.fields, EvmUnsigned):
            return False
        content = read_evm(request.fields)
        ours = self._keys.deposit_address(request.payee_index)
        return content is not None and content.payee == ours

    def _made(self, plan: Plan) -> SignedBytes:
        if not isinstance(plan.fields, UtxoUnsigned):
            return self._keys.sign(plan.fields, plan.index)
        if self._coin_keys is None:
            raise KeyStoreError("this keystore signs for no coins")
        return self._coin_keys.sign_coins(plan.fields, plan.index, self._prefix(plan.network))

    def _record(self, signature: Signature) -> None:
        coins = isinstance(signature.plan.fields, UtxoUnsigned)
        (self._coins if coins else self._policy).record(signature)
