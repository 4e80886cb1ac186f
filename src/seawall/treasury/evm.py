"""An EVM network behind the `Chain` port.  The rule: what leaves is a plain payment."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial

from seawall.node.clock import Clock
from seawall.treasury.chain import (
    AddressError,
    Decoded,
    EvmUnsigned,
    PaymentOrder,
    RefusedError,
    SendResult,
    UnknownError,
    Unsigned,
    parse_lane_slot,
)
from seawall.treasury.compared import ComparedChain, Endpoint, split_answers
from seawall.treasury.endpoints import Failure
from seawall.treasury.evm_bytes import TRANSFER_GAS, call_of, canonical_address, decode_signed
from seawall.treasury.evm_endpoint import EvmEndpoint, GasCall
from seawall.treasury.settings import ChainSettings

CALLS_AT_ONCE = 50
"""In one request to an endpoint."""


class EvmChain(ComparedChain):
    """One network through all its endpoints."""

    def __init__(self, settings: ChainSettings, clock: Clock) -> None:
        settings.check()
        self._settings = settings
        self._tokens = frozenset(canonical_address(token) for token in settings.tokens)
        self._nodes = {
            endpoint.name: EvmEndpoint(
                endpoint.name,
                endpoint.url,
                chain_id=settings.chain_id,
                fees=settings.fees,
                measured=self._tokens,
            )
            for endpoint in settings.endpoints
        }
        super().__init__(settings.network, self._nodes.values(), settings.terms, clock)

    async def build(self, order: PaymentOrder, taken: Collection[str] = ()) -> Unsigned:
        """Return the transaction for the order's one slot, with gas by the nodes' estimate."""
        if any(slot in taken for slot in order.slots):
            raise RefusedError("the slot is taken")
        (found,) = await self.build_all([order])
        if isinstance(found, RefusedError):
            raise found
        return found

    async def build_all(self, orders: Sequence[PaymentOrder]) -> list[Unsigned | RefusedError]:
        """Build many; their gas is asked for some dozens at a time."""
        right = [order for order in orders if _wrong_slot(order) is None]
        calls = [GasCall(order.source, *call_of(order)) for order in right]
        estimates: list[int | RefusedError] = []
        for start in range(0, len(calls), CALLS_AT_ONCE):
            estimates += await self._gas(calls[start : start + CALLS_AT_ONCE])
        gas = iter(estimates)
        return [_wrong_slot(order) or self._built(order, next(gas)) for order in orders]

    def _built(self, order: PaymentOrder, gas: int | RefusedError) -> Unsigned | RefusedError:
        if isinstance(gas, RefusedError):
            return gas
        lane, nonce = parse_lane_slot(order.slots[0])
        to, value, data = call_of(order)
        return Unsigned(
            slots=order.slots,
            max_cost=gas * order.quote.most,
            fields=EvmUnsigned(
                chain_id=self._settings.chain_id,
                source=lane,
                nonce=nonce,
                to=to,
                value=value,
                data="0x" + data.hex(),
                gas=gas,
                tip_per_gas=min(order.quote.tip, order.quote.most),
                most_per_gas=order.quote.most,
            ),
        )

    async def _gas(self, calls: Sequence[GasCall]) -> list[int | RefusedError]:
        answers = await self._gather(
            "gas", lambda one: self._nodes[one.name].gas(calls), want=self._enough
        )
        return [self._gas_agreed(of_one) for of_one in split_answers(answers, len(calls))]

    def _gas_agreed(self, answers: Mapping[str, int | str | Failure]) -> int | RefusedError:
        quorum = self.endpoints.terms.quorum
        estimates = [answer for answer in answers.values() if isinstance(answer, int)]
        refusals = [answer for answer in answers.values() if isinstance(answer, str)]
        if len(refusals) >= quorum:
            return RefusedError(refusals[0])
        if len(estimates) < quorum:
            failures = [one.reason for one in answers.values() if isinstance(one, Failure)]
            raise UnknownError("gas: " + "; ".join([*refusals, *failures, "no quorum"]))
        most = max(estimates)
        if most > TRANSFER_GAS:
            # What a contract does may cost more by the time it is mined.
            most += most * self._settings.extra_gas_per_cent // 100
        if most > self._settings.most_gas:
            return RefusedError(f"it would take {most} gas, above the limit")
        return most

    async def send_all(self, signed: Sequence[bytes]) -> list[SendResult]:
        """Offer many at a time, in their order, to every endpoint."""
        found: list[SendResult] = []
        for start in range(0, len(signed), CALLS_AT_ONCE):
            part = signed[start : start + CALLS_AT_ONCE]
            send = partial(self._send_part, part)
            split = split_answers(await self._gather("send", send, want=_all_taken), len(part))
            found += [self._sent(each, of_one) for each, of_one in zip(part, split, strict=True)]
        return found

    async def _send_part(
        self, signed: Sequence[bytes], endpoint: Endpoint
    ) -> tuple[SendResult, ...]:
        return await self._nodes[endpoint.name].send_all(signed)

    def decode(self, signed: bytes) -> Decoded:
        return decode_signed(signed, self._settings.chain_id)

    def valid_address(self, text: str) -> str:
        address = canonical_address(text)
        if address in self._tokens:
            raise AddressError("this is the token's own contract: what goes there is lost")
        return address


def _wrong_slot(order: PaymentOrder) -> RefusedError | None:
    if len(order.slots) != 1:
        return RefusedError("an EVM payment is ordered with one slot")
    if parse_lane_slot(order.slots[0])[0] != order.source:
        return RefusedError("the slot is of another account")
    return None


def _all_taken(answers: Mapping[str, tuple[SendResult, ...] | Failure]) -> object:
    """Return something once one endpoint took all of them."""
    taken = any(
        all(result.outcome.taken for result in answer)
        for answer in answers.values()
        if not isinstance(answer, Failure)
    )
    return True if taken else None
