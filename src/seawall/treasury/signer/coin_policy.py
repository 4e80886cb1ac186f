"""Which coins may be spent for what.  The rule: a coin pays one thing, a payment has its coins.

Sans-I/O, as policy.py is for nonces.  A coin that was signed for belongs to that payment; only a
payment of everything to its own source, which voids it, may be signed besides.  Each coin's worth
is remembered: told two different ones, a dishonest node could join two signatures into a payment
of everything to the network's fee (CVE-2020-14199).
"""

from collections.abc import Mapping
from typing import Final, cast

from seawall.treasury.chain import UtxoUnsigned
from seawall.treasury.signer.coin_content import CoinContent, read_coins
from seawall.treasury.signer.messages import Refusal, Refused, Sign, SignedSlot
from seawall.treasury.signer.policy import PAYMENT_CHARS, SLOTS_TOLD, Plan, Signature
from seawall.treasury.signer.settings import NetworkLimits, SignerSettings
from seawall.treasury.signer.windows import Windows, taken

COIN: Final = ""
"""A UTXO network has one asset."""


class _Coin:
    def __init__(self, payment: str, units: int) -> None:
        self.payment = payment
        self.units = units
        self.voided = False
        self.newest: Signature | None = None


class CoinPolicy:
    """Judges requests; `record` everything it allowed once that is on disk."""

    def __init__(
        self, settings: SignerSettings, wallets: Mapping[str, frozenset[str]] | None = None
    ) -> None:
        """`wallets` are the keystore's own by network: what goes there stays ours."""
        self._settings = settings
        self._wallets = wallets or {}
        self._coins: dict[tuple[str, str], _Coin] = {}
        self._payments: dict[tuple[str, str], list[Signature]] = {}
        self._windows = Windows()

    def decide(
        self, request: Sign, *, at_ns: int, wallets: frozenset[str], leased: bool = True
    ) -> Plan | Signature | Refused:
        """Return what to sign, what was signed for the same request, or why not."""
        network = self._settings.networks[request.network]
        fields = request.fields
        if not isinstance(fields, UtxoUnsigned) or not 0 < len(request.payment) <= PAYMENT_CHARS:
            return Refused(reason=Refusal.UNREADABLE)
        read = read_coins(fields, network.prefix)
        if read is None:
            return Refused(reason=Refusal.UNREADABLE)
        if read.source not in wallets:
            return Refused(reason=Refusal.UNKNOWN_SOURCE, detail=read.source)
        refused = self._refuse_content(network, request, read) or self._refuse_coins(request, read)
        if refused is not None:
            return refused
        earlier = self._earlier(request)
        for known in self._payments.get((request.network, request.payment), ()):
            if cast("UtxoUnsigned", known.plan.fields).raw == fields.raw:
                return known
        judged = self._judge(network, request, read, earlier, at_ns)
        free = bool(earlier) or read.void or self._is_own(request, read.content.payee)
        if isinstance(judged, Plan) and not leased and not free:
            return Refused(reason=Refusal.LEASE_RUN_OUT)
        return judged

    def _judge(
        self,
        network: NetworkLimits,
        request: Sign,
        read: CoinContent,
        earlier: list[Signature],
        at_ns: int,
    ) -> Plan | Refused:
        if read.fee * 1000 > network.most_per_kvbyte * read.vbytes:
            return Refused(reason=Refusal.FEE_ABOVE_CAP)
        dearest = max((fee_of(each.plan) for each in earlier), default=-1)
        if read.fee <= dearest:
            return Refused(reason=Refusal.FEE_NOT_HIGHER)
        free = bool(earlier) or read.void or self._is_own(request, read.content.payee)
        plan = Plan(
            network=request.network,
            payment=request.payment,
            slot=read.slots[0],
            content=read.content,
            void=read.void,
            fields=request.fields,
            index=request.index,
            units=0 if free else read.content.units,
            cost=read.fee - max(dearest, 0),
        )
        limits = network.limits_of(COIN)
        if limits is not None and plan.units > limits.payment_units:
            return Refused(reason=Refusal.ABOVE_PAYMENT_LIMIT, detail=str(limits.payment_units))
        wanted = taken(COIN, plan.units, plan.cost)
        return self._windows.refuse(plan.network, network, wanted, at_ns) or plan

    def _is_own(self, request: Sign, payee: str) -> bool:
        named = self._settings.networks[request.network].own
        return payee in named or payee in self._wallets.get(request.network, ())

    def _refuse_content(
        self, network: NetworkLimits, request: Sign, read: CoinContent
    ) -> Refused | None:
        if network.limits_of(COIN) is None:
            return Refused(reason=Refusal.UNKNOWN_ASSET)
        if request.index is not None and not self._is_own(request, read.content.payee):
            return Refused(reason=Refusal.NOT_OWN_PAYEE, detail=read.content.payee)
        return None

    def _refuse_coins(self, request: Sign, read: CoinContent) -> Refused | None:
        """Refuse coins that belong to something else, and a payment that has other coins."""
        for coin in cast("UtxoUnsigned", request.fields).coins:
            known = self._coins.get((request.network, coin.slot))
            if known is None:
                continue
            if known.units != coin.units:
                return Refused(reason=Refusal.STRANGE_COIN, detail=coin.slot)
            if read.void:
                continue
            if known.voided:
                return Refused(reason=Refusal.SLOT_VOIDED, detail=coin.slot)
            if known.payment != request.payment:
                return Refused(reason=Refusal.SLOT_SIGNED, detail=known.payment)
        earlier = self._earlier(request)
        if not earlier:
            return None
        first = earlier[0].plan
        if slots_of(first) != read.slots:
            return Refused(reason=Refusal.PAYMENT_SIGNED, detail=first.slot)
        # A void is the same whatever is left of it.
        if first.void != read.void or (not read.void and first.content != read.content):
            return Refused(reason=Refusal.SLOT_SIGNED, detail=request.payment)
        return None

    def _earlier(self, request: Sign) -> list[Signature]:
        """Return the payment's signatures that could still be paid."""
        found = self._payments.get((request.network, request.payment), [])
        return [each for each in found if each.plan.void or not self._voided(each.plan)]

    def _voided(self, plan: Plan) -> bool:
        return any(self._coins[plan.network, slot].voided for slot in slots_of(plan))

    def record(self, signature: Signature) -> None:
        """Count a signature that is on disk."""
        plan = signature.plan
        for coin in cast("UtxoUnsigned", plan.fields).coins:
            known = self._coins.setdefault(
                (plan.network, coin.slot), _Coin(plan.payment, coin.units)
            )
            known.voided = known.voided or plan.void
            known.newest = signature
        self._payments.setdefault((plan.network, plan.payment), []).append(signature)
        self._windows.count(plan.network, taken(COIN, plan.units, plan.cost), signature.at_ns)

    def slots(self, network: str, wanted: tuple[str, ...]) -> tuple[SignedSlot, ...]:
        """Return what was signed with any of these coins, the newest bytes of each coin once."""
        found: dict[str, SignedSlot] = {}
        for slot in wanted[:SLOTS_TOLD]:
            coin = self._coins.get((network, slot))
            if coin is None or coin.newest is None:
                continue
            plan = coin.newest.plan
            told = SignedSlot(
                nonce=0,
                payment=coin.payment,
                voided=coin.voided,
                signed=coin.newest.signed,
                coins=slots_of(plan),
                max_cost=fee_of(plan),
            )
            found.setdefault(f"{coin.payment} {coin.newest.tx_id}", told)
        return tuple(found.values())


def slots_of(plan: Plan) -> tuple[str, ...]:
    return tuple(coin.slot for coin in cast("UtxoUnsigned", plan.fields).coins)


def fee_of(plan: Plan) -> int:
    fields = cast("UtxoUnsigned", plan.fields)
    return sum(coin.units for coin in fields.coins) - fields.units - fields.change_units
