"""What may be signed.  The rule: a slot pays one thing, a payment has one slot, limits hold.

Sans-I/O: it decides from its own record of signatures, which the store replays after a restart.
It trusts the node for nothing but the payment's name, and a wrong name can only be refused.
"""

from typing import Final, cast

from msgspec import Struct
from msgspec.structs import replace

from seawall.lib.invariants import invariant
from seawall.treasury.chain import EvmUnsigned, UtxoUnsigned, lane_slot
from seawall.treasury.evm_codec import checksummed
from seawall.treasury.signer.content import Content, is_void, read_evm
from seawall.treasury.signer.messages import Refusal, Refused, Sign, SignedSlot
from seawall.treasury.signer.settings import NetworkLimits, SignerSettings
from seawall.treasury.signer.windows import Windows, taken

PAYMENT_CHARS: Final = 128
SLOTS_TOLD: Final = 1_024
"""Nonces looked at for one `AskSlots`."""


class Plan(Struct, frozen=True, kw_only=True):
    """What is about to be signed, and what it takes of the limits."""

    network: str
    payment: str
    slot: str
    """The nonce; of coins the first."""
    content: Content
    void: bool
    fields: EvmUnsigned | UtxoUnsigned
    index: int | None
    units: int = 0
    """Counted in the asset's window."""
    cost: int = 0
    """Counted in the native coin's window: the rise of the dearest fee."""


class Signature(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One decision to sign, as it stands on disk before the bytes leave."""

    at_ns: int
    plan: Plan
    tx_id: str
    signed: str


class _Slot:
    def __init__(self, first: Plan) -> None:
        self.first = first
        self.signatures: list[Signature] = []
        self.voided = False


class SignerPolicy:
    """Judges requests; `record` everything it allowed once that is on disk."""

    def __init__(self, settings: SignerSettings) -> None:
        self._settings = settings
        self._slots: dict[tuple[str, str], _Slot] = {}
        self._payments: dict[tuple[str, str], str] = {}
        self._windows = Windows()
        self._next_nonce: dict[tuple[str, str], int] = {}

    def decide(
        self, request: Sign, *, at_ns: int, wallets: frozenset[str], leased: bool = True
    ) -> Plan | Signature | Refused:
        """Return what to sign, what was signed for the same request, or why not.

        `wallets` are the addresses that the keystore can sign for, the one at `index` included;
        `leased`: somebody said lately that others than ourselves may be paid.
        """
        network = self._settings.networks.get(request.network)
        if network is None:
            return Refused(reason=Refusal.UNKNOWN_NETWORK, detail=request.network[:64])
        fields = request.fields
        if not isinstance(fields, EvmUnsigned):
            return Refused(reason=Refusal.UNREADABLE, detail="this network has no coins to spend")
        if fields.chain_id != network.chain_id:
            return Refused(reason=Refusal.WRONG_CHAIN, detail=str(network.chain_id))
        content = read_evm(fields)
        if content is None or not 0 < len(request.payment) <= PAYMENT_CHARS:
            return Refused(reason=Refusal.UNREADABLE)
        source = checksummed(fields.source)
        if source not in wallets:
            return Refused(reason=Refusal.UNKNOWN_SOURCE, detail=source)
        plan = Plan(
            network=request.network,
            payment=request.payment,
            slot=lane_slot(source, fields.nonce),
            content=content,
            void=is_void(fields, content),
            fields=fields,
            index=request.index,
        )
        judged = self._judge(network, plan, at_ns)
        if isinstance(judged, Plan) and not leased and not self._is_free(network, judged):
            return Refused(reason=Refusal.LEASE_RUN_OUT)
        return judged

    def record(self, signature: Signature) -> None:
        """Count a signature that is on disk."""
        plan = signature.plan
        slot = self._slots.setdefault((plan.network, plan.slot), _Slot(plan))
        slot.signatures.append(signature)
        slot.voided = slot.voided or plan.void
        if not plan.void:
            self._payments[plan.network, plan.payment] = plan.slot
        counted = taken(plan.content.contract, plan.units, plan.cost)
        self._windows.count(plan.network, counted, signature.at_ns)
        fields = _evm(plan)
        lane = (plan.network, checksummed(fields.source))
        self._next_nonce[lane] = max(self._next_nonce.get(lane, 0), fields.nonce + 1)

    def slots(self, network: str, lane: str, from_nonce: int) -> tuple[SignedSlot, ...]:
        """Return what was signed in a lane from a nonce up."""
        found = []
        end = min(self._next_nonce.get((network, lane), 0), from_nonce + SLOTS_TOLD)
        for nonce in range(from_nonce, end):
            slot = self._slots.get((network, lane_slot(lane, nonce)))
            if slot is not None:
                newest = slot.signatures[-1]
                found.append(
                    SignedSlot(
                        nonce=nonce,
                        payment=slot.first.payment,
                        voided=slot.voided,
                        signed=newest.signed,
                    )
                )
        return tuple(found)

    def _judge(self, network: NetworkLimits, plan: Plan, at_ns: int) -> Plan | Signature | Refused:
        slot = self._slots.get((plan.network, plan.slot))
        refused = _refuse_content(network, plan) or _refuse_again(slot, plan)
        if refused is not None:
            return refused
        for known in slot.signatures if slot else ():
            if known.plan.fields == plan.fields:
                return known
        refused = self._refuse_second_slot(plan) or _refuse_fees(network, slot, plan)
        if refused is not None:
            return refused
        dearest = max((_cost(each.plan) for each in slot.signatures), default=0) if slot else 0
        counted = replace(
            plan,
            units=0 if self._is_free(network, plan) else plan.content.units,
            cost=max(_cost(plan) - dearest, 0),
        )
        return self._refuse_amount(network, counted, at_ns) or counted

    def _is_free(self, network: NetworkLimits, plan: Plan) -> bool:
        """Say whether it pays nobody anything new: only ourselves, or what was signed before."""
        signed = (plan.network, plan.slot) in self._slots
        return signed or plan.void or plan.content.payee in _own(network)

    def _refuse_second_slot(self, plan: Plan) -> Refused | None:
        earlier = self._payments.get((plan.network, plan.payment), plan.slot)
        if plan.void or earlier == plan.slot or self._slots[plan.network, earlier].voided:
            return None
        return Refused(reason=Refusal.PAYMENT_SIGNED, detail=earlier)

    def _refuse_amount(self, network: NetworkLimits, plan: Plan, at_ns: int) -> Refused | None:
        limits = network.limits_of(plan.content.contract)
        if limits is not None and plan.units > limits.payment_units:
            return Refused(reason=Refusal.ABOVE_PAYMENT_LIMIT, detail=str(limits.payment_units))
        wanted = taken(plan.content.contract, plan.units, plan.cost)
        return self._windows.refuse(plan.network, network, wanted, at_ns)


def _refuse_content(network: NetworkLimits, plan: Plan) -> Refused | None:
    if plan.void:
        return None
    if network.limits_of(plan.content.contract) is None:
        return Refused(reason=Refusal.UNKNOWN_ASSET, detail=plan.content.contract)
    if plan.index is not None and plan.content.payee not in _own(network):
        return Refused(reason=Refusal.NOT_OWN_PAYEE, detail=plan.content.payee)
    return None


def _refuse_again(slot: "_Slot | None", plan: Plan) -> Refused | None:
    """Refuse a slot that belongs to something else."""
    if slot is None or plan.void:
        return None
    if slot.voided:
        return Refused(reason=Refusal.SLOT_VOIDED, detail=plan.slot)
    if (slot.first.content, slot.first.payment) != (plan.content, plan.payment):
        return Refused(reason=Refusal.SLOT_SIGNED, detail=slot.first.payment)
    return None


def _refuse_fees(network: NetworkLimits, slot: "_Slot | None", plan: Plan) -> Refused | None:
    fields = _evm(plan)
    if fields.most_per_gas > network.most_per_gas or fields.gas > network.most_gas:
        return Refused(reason=Refusal.FEE_ABOVE_CAP)
    if slot is None:
        return None
    last = _evm(slot.signatures[-1].plan)
    higher = fields.most_per_gas > last.most_per_gas and fields.tip_per_gas >= last.tip_per_gas
    return None if higher else Refused(reason=Refusal.FEE_NOT_HIGHER)


def _own(network: NetworkLimits) -> frozenset[str]:
    return frozenset(checksummed(each) for each in network.own)


def _cost(plan: Plan) -> int:
    return _evm(plan).gas * _evm(plan).most_per_gas


def _evm(plan: Plan) -> EvmUnsigned:
    invariant(isinstance(plan.fields, EvmUnsigned), "coins are judged by coin_policy.py")
    return cast("EvmUnsigned", plan.fields)
