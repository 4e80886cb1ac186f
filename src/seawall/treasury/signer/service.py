"""The signer without its socket.  The rule: judge, sign, write down, and only then answer."""

from collections.abc import Callable
from typing import Protocol

from eth_utils.address import is_address, to_checksum_address

from seawall.treasury.chain import UtxoUnsigned
from seawall.treasury.signer.coin_policy import CoinPolicy
from seawall.treasury.signer.keystore import (
    CoinKeyStore,
    KeyStore,
    KeyStoreError,
    SignedBytes,
)
from seawall.treasury.signer.messages import (
    Answer,
    AskCoins,
    AskSlots,
    AskWho,
    Failed,
    Refusal,
    Refused,
    Request,
    Sign,
    Signed,
    Slots,
    Who,
)
from seawall.treasury.signer.policy import Plan, Signature, SignerPolicy
from seawall.treasury.signer.settings import SignerSettings
from seawall.treasury.signer.store import StoreError


class Record(Protocol):
    """What was signed; see store.py."""

    def read(self) -> list[Signature]: ...

    def append(self, signature: Signature) -> None:
        """Return once the signature is on disk, or raise StoreError."""


class SignerService:
    """Policy, keys and record put together; one request at a time."""

    def __init__(
        self,
        settings: SignerSettings,
        keys: KeyStore,
        store: Record,
        now_ns: Callable[[], int],
        coin_keys: CoinKeyStore | None = None,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._coin_keys = coin_keys
        self._store = store
        self._now_ns = now_ns
        self._policy = SignerPolicy(settings)
        self._coins = CoinPolicy(settings, self.coin_wallets())
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
        match request:
            case Sign():
                return self._sign(request)
            case AskSlots():
                lane = to_checksum_address(request.lane) if is_address(request.lane) else ""
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

    def _sign(self, request: Sign) -> Signed | Refused | Failed:
        try:
            at_ns = self._now_ns()
            prefix = self._prefix(request.network)
            policy = self._coins if prefix else self._policy
            wallets = self._sources(request.index, prefix)
            decision = policy.decide(request, at_ns=at_ns, wallets=wallets)
            if isinstance(decision, Refused):
                return decision
            if isinstance(decision, Plan):
                decision = self._write_down(decision, at_ns)
        except KeyStoreError as error:
            return Refused(reason=Refusal.UNKNOWN_SOURCE, detail=str(error))
        except StoreError as error:
            return Failed(detail=f"the record of signatures: {error}")
        return Signed(tx_id=decision.tx_id, signed=decision.signed)

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

    def _write_down(self, plan: Plan, at_ns: int) -> Signature:
        made = self._made(plan)
        signature = Signature(at_ns=at_ns, plan=plan, tx_id=made.tx_id, signed=made.raw.hex())
        self._store.append(signature)
        self._record(signature)
        return signature

    def _made(self, plan: Plan) -> SignedBytes:
        if not isinstance(plan.fields, UtxoUnsigned):
            return self._keys.sign(plan.fields, plan.index)
        if self._coin_keys is None:
            raise KeyStoreError("this keystore signs for no coins")
        return self._coin_keys.sign_coins(plan.fields, plan.index, self._prefix(plan.network))

    def _record(self, signature: Signature) -> None:
        coins = isinstance(signature.plan.fields, UtxoUnsigned)
        (self._coins if coins else self._policy).record(signature)
