"""The signer without its socket.  The rule: judge, sign, write down, and only then answer."""

from collections.abc import Callable
from typing import Protocol

from eth_utils.address import is_address, to_checksum_address

from seawall.treasury.signer.keystore import KeyStore, KeyStoreError
from seawall.treasury.signer.messages import (
    Answer,
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
    ) -> None:
        self._keys = keys
        self._store = store
        self._now_ns = now_ns
        self._policy = SignerPolicy(settings)
        for signature in store.read():
            self._policy.record(signature)

    def answer(self, request: Request) -> Answer:
        """Answer a request; `Failed` and `Refused` mean that nothing new was signed."""
        match request:
            case Sign():
                return self._sign(request)
            case AskSlots():
                lane = to_checksum_address(request.lane) if is_address(request.lane) else ""
                found = self._policy.slots(request.network, lane, request.from_nonce)
                return Slots(slots=found)
            case AskWho():
                return Who(
                    wallets=tuple(sorted(self._keys.wallets())),
                    deposit_key=self._keys.deposit_key(),
                )

    def _sign(self, request: Sign) -> Signed | Refused | Failed:
        try:
            wallets = self._keys.wallets()
            if request.index is not None:
                wallets = frozenset({self._keys.deposit_address(request.index)})
            at_ns = self._now_ns()
            decision = self._policy.decide(request, at_ns=at_ns, wallets=wallets)
            if isinstance(decision, Refused):
                return decision
            if isinstance(decision, Plan):
                decision = self._write_down(decision, at_ns)
        except KeyStoreError as error:
            return Refused(reason=Refusal.UNKNOWN_SOURCE, detail=str(error))
        except StoreError as error:
            return Failed(detail=f"the record of signatures: {error}")
        return Signed(tx_id=decision.tx_id, signed=decision.signed)

    def _write_down(self, plan: Plan, at_ns: int) -> Signature:
        made = self._keys.sign(plan.fields, plan.index)
        signature = Signature(at_ns=at_ns, plan=plan, tx_id=made.tx_id, signed=made.raw.hex())
        self._store.append(signature)
        self._policy.record(signature)
        return signature
