"""A chain seen through several endpoints.  The rule: every answer passes the comparison.

Asks all endpoints at once, goes on as soon as a quorum agrees, and leaves the judging to
endpoints.py.  Those that are slow get a moment more, so that a dark provider slows nobody down.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from typing import Protocol, TypeVar

from seawall.node.clock import Clock
from seawall.treasury.chain import (
    Block,
    ChainError,
    Coin,
    Decoded,
    FeeQuote,
    Payment,
    PaymentOrder,
    Receipt,
    RefusedError,
    SendOutcome,
    SendResult,
    UnknownError,
    Unsigned,
)
from seawall.treasury.endpoints import Endpoints, Failure, Known, Terms, Unknown, Verdict

Value = TypeVar("Value", bound=Hashable)

ANSWER_S = 10.0
"""An endpoint that takes longer has not answered."""
GRACE_S = 0.25
"""What the others get once a quorum agrees: enough to catch a liar, too little to wait on one."""
BALANCES_AT_ONCE = 750
"""Addresses in one question, so that every endpoint can answer it in one piece."""
PARTS_AT_ONCE = 4
RECEIPTS_AT_ONCE = 100
SENDING_ORDER = (
    SendOutcome.ACCEPTED,
    SendOutcome.ALREADY_KNOWN,
    SendOutcome.UNKNOWN,
    SendOutcome.SLOT_USED,
    SendOutcome.SLOT_EARLY,
    SendOutcome.UNDERPRICED,
    SendOutcome.INSUFFICIENT_FUNDS,
    SendOutcome.REFUSED,
)
"""One endpoint that took it is enough; one that may have taken it forbids to call it refused."""


class EndpointError(ChainError):
    """One endpoint gave no answer; the message says why."""


class MissingError(EndpointError):
    """The endpoint answered that it does not have the block asked for."""


class Endpoint(Protocol):
    """One endpoint of a network; raises EndpointError, or MissingError for an unknown block."""

    @property
    def name(self) -> str: ...
    async def head(self) -> Block: ...
    async def block(self, number: int) -> Block | None: ...
    async def payments(self, block: Block, addresses: Collection[str]) -> tuple[Payment, ...]: ...
    async def balance(self, address: str, contract: str, block: Block) -> int: ...
    async def balances(
        self, addresses: Sequence[str], contract: str, block: Block
    ) -> tuple[int, ...]: ...
    async def nonce(self, address: str, block: Block) -> int: ...
    async def fee_quote(self) -> FeeQuote: ...
    async def coins(self, address: str) -> tuple[Coin, ...]: ...
    async def receipt(self, tx_id: str) -> Receipt | None: ...
    async def receipts(self, tx_ids: Sequence[str]) -> tuple[Receipt | None, ...]: ...
    async def slot_user(self, slot: str, head: Block) -> str | None: ...
    async def is_contract(self, address: str, block: Block) -> bool: ...
    async def send(self, signed: bytes) -> SendResult: ...
    async def close(self) -> None: ...


AnyEndpoint = TypeVar("AnyEndpoint", bound=Endpoint)
Result = TypeVar("Result")


class ComparedChain(ABC):
    """What every network has in common; adapters add transactions and addresses."""

    def __init__(
        self, network: str, endpoints: Collection[Endpoint], terms: Terms, clock: Clock
    ) -> None:
        self._network = network
        self._readers = {endpoint.name: endpoint for endpoint in endpoints}
        self._clock = clock
        self.endpoints = Endpoints([endpoint.name for endpoint in endpoints], terms)

    @property
    def network(self) -> str:
        return self._network

    def verdicts(self) -> list[Verdict]:
        """Return what is to be thought of each endpoint, now."""
        return self.endpoints.verdicts(self._clock.now_ns())

    async def head(self) -> Block:
        heads = await self._gather(
            "head", lambda one: one.head(), want=self.endpoints.height_to_ask
        )
        now_ns = self._clock.now_ns()
        for name, head in heads.items():
            if isinstance(head, Block):
                self.endpoints.on_head(name, head, now_ns)
        height = self.endpoints.height_to_ask(heads)
        if height is None:
            raise UnknownError(_reasons("head", heads))
        fork_blocks = self.endpoints.terms.fork_blocks
        reason = ""
        before = self.endpoints.head
        for below in range(min(fork_blocks, height) + 1):
            answers = await self._blocks(height - below)
            found = self.endpoints.on_common(answers, below, self._clock.now_ns())
            if isinstance(found, Known):
                if found.value != before:
                    await self._look_deep(found.value.number)
                return found.value
            reason = found.reason
        raise UnknownError(reason)

    async def _look_deep(self, tip: int) -> None:
        deep = tip - self.endpoints.terms.fork_blocks
        if deep >= 0 and len(self._readers) > 1:
            self.endpoints.on_deep(await self._blocks(deep), self._clock.now_ns())

    async def _blocks(self, number: int) -> dict[str, Block | Failure]:
        async def read(endpoint: Endpoint) -> Block:
            found = await endpoint.block(number)
            if found is None:
                raise MissingError(f"has no block {number}")
            return found

        return await self._gather(f"block {number}", read)

    async def block(self, number: int) -> Block | None:
        question = f"block {number}"
        answers = await self._gather(question, lambda endpoint: endpoint.block(number))
        return self._known(self.endpoints.compare(question, answers))

    async def payments(self, block: Block, addresses: Collection[str]) -> list[Payment]:
        found = await self._bound(
            f"payments of block {block.id}", lambda one: one.payments(block, addresses)
        )
        return list(found)

    async def balance(self, address: str, contract: str, block: Block) -> int:
        question = f"balance of {address} in {contract or 'coin'} at block {block.id}"
        return await self._bound(question, lambda one: one.balance(address, contract, block))

    async def balances(self, addresses: Sequence[str], contract: str, block: Block) -> list[int]:
        slots = asyncio.Semaphore(PARTS_AT_ONCE)

        async def read(part: Sequence[str]) -> tuple[int, ...]:
            question = f"{len(part)} balances from {part[0]} in {contract or 'coin'} at {block.id}"
            async with slots:
                return await self._bound(question, lambda one: one.balances(part, contract, block))

        starts = range(0, len(addresses), BALANCES_AT_ONCE)
        tasks = [
            asyncio.create_task(read(addresses[start : start + BALANCES_AT_ONCE]))
            for start in starts
        ]
        try:
            return [units for found in await asyncio.gather(*tasks) for units in found]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def next_nonce(self, address: str, block: Block | None = None) -> int:
        at = block or await self.head()
        question = f"nonce of {address} at block {at.id}"
        return await self._bound(question, lambda one: one.nonce(address, at))

    async def is_contract(self, address: str) -> bool:
        at = await self.head()
        question = f"code of {address} at block {at.id}"
        return await self._bound(question, lambda one: one.is_contract(address, at))

    async def coins(self, address: str) -> list[Coin]:
        question = f"coins of {address}"
        answers = await self._gather(question, lambda one: one.coins(address))
        return list(self._known(self.endpoints.compare(question, answers)))

    async def fee_quote(self) -> FeeQuote:
        """Return the lower middle of the quotes: nobody alone can push the price up."""
        answers = await self._gather("fee", lambda one: one.fee_quote(), want=self._enough)
        quotes = sorted(
            (quote for quote in answers.values() if isinstance(quote, FeeQuote)),
            key=lambda quote: (quote.most, quote.tip),
        )
        if len(quotes) < self.endpoints.terms.quorum:
            raise UnknownError(_reasons("fee", answers))
        return quotes[(len(quotes) - 1) // 2]

    async def receipt(self, tx_id: str) -> Receipt | None:
        question = f"receipt of {tx_id}"
        return self._agreed(question, await self._gather(question, lambda one: one.receipt(tx_id)))

    async def receipts(self, tx_ids: Sequence[str]) -> list[Receipt | None]:
        found: list[Receipt | None] = []
        for start in range(0, len(tx_ids), RECEIPTS_AT_ONCE):
            found += await self._some_receipts(tx_ids[start : start + RECEIPTS_AT_ONCE])
        return found

    async def _some_receipts(self, tx_ids: Sequence[str]) -> list[Receipt | None]:
        def agreed(answers: Mapping[str, tuple[Receipt | None, ...] | Failure]) -> object:
            each = (
                self.endpoints.compare("", of_one) for of_one in split_answers(answers, len(tx_ids))
            )
            return True if all(isinstance(found, Known) for found in each) else None

        question = f"{len(tx_ids)} receipts from {tx_ids[0]}"
        answers = await self._gather(question, lambda one: one.receipts(tx_ids), want=agreed)
        split = split_answers(answers, len(tx_ids))
        return [
            self._agreed(f"receipt of {tx_id}", of_one)
            for tx_id, of_one in zip(tx_ids, split, strict=True)
        ]

    def _agreed(
        self, question: str, answers: Mapping[str, Receipt | Failure | None]
    ) -> Receipt | None:
        found = self.endpoints.compare(question, answers)
        receipt = self._known(found)
        if isinstance(found, Known):
            for name in found.dissenters:
                self._judge_receipt(name, answers[name], receipt)
        return receipt

    def _judge_receipt(
        self, name: str, answer: Receipt | Failure | None, agreed: Receipt | None
    ) -> None:
        """Tell a lie from an endpoint that is merely at another block."""
        told = [one for one in (answer, agreed) if isinstance(one, Receipt)]
        same_block = len({one.block_id for one in told}) < len(told)
        if same_block or self.endpoints.should_have(name, max(one.block for one in told)):
            self.endpoints.accuse(name, f"receipt of {told[0].tx_id}", self._clock.now_ns())

    async def transaction_in_slot(self, slot: str) -> str | None:
        at = await self.head()
        question = f"user of {slot} at block {at.id}"
        return await self._bound(question, lambda one: one.slot_user(slot, at))

    async def send(self, signed: bytes) -> SendResult:
        """Offer the bytes to every endpoint; one that took them is enough."""
        answers = await self._gather("send", lambda one: one.send(signed), want=_all_answered)
        return self._sent(signed, answers)

    async def send_all(self, signed: Sequence[bytes]) -> list[SendResult]:
        return [await self.send(each) for each in signed]

    def _sent(self, signed: bytes, answers: Mapping[str, SendResult | Failure]) -> SendResult:
        computed = [one.tx_id for one in answers.values() if isinstance(one, SendResult)]
        tx_id = computed[0] if computed else self.decode(signed).tx_id
        results = [
            answer
            if isinstance(answer, SendResult)
            else SendResult(outcome=SendOutcome.UNKNOWN, tx_id=tx_id, detail=answer.reason)
            for answer in answers.values()
        ]
        best = min(results, key=lambda result: SENDING_ORDER.index(result.outcome))
        detail = "; ".join(
            f"{name}: {result.outcome.value} {result.detail}".strip()
            for name, result in zip(answers, results, strict=True)
        )
        return SendResult(outcome=best.outcome, tx_id=tx_id, detail=detail)

    async def close(self) -> None:
        for endpoint in self._readers.values():
            await endpoint.close()

    @abstractmethod
    async def build(self, order: PaymentOrder, taken: Collection[str] = ()) -> Unsigned: ...

    async def build_all(self, orders: Sequence[PaymentOrder]) -> list[Unsigned | RefusedError]:
        found: list[Unsigned | RefusedError] = []
        for order in orders:
            try:
                found.append(await self.build(order))
            except RefusedError as error:
                found.append(error)
        return found

    @abstractmethod
    def decode(self, signed: bytes) -> Decoded: ...

    @abstractmethod
    def valid_address(self, text: str) -> str: ...

    # Asking

    async def _bound(self, question: str, call: Callable[[Endpoint], Awaitable[Value]]) -> Value:
        answers = await self._gather(question, call)
        found = self.endpoints.compare_bound(question, answers, self._clock.now_ns())
        return self._known(found)

    def _known(self, found: Known[Value] | Unknown) -> Value:
        if isinstance(found, Unknown):
            raise UnknownError(found.reason)
        return found.value

    def _enough(self, answers: Mapping[str, object]) -> object:
        given = [answer for answer in answers.values() if not isinstance(answer, Failure)]
        return True if len(given) >= self.endpoints.terms.quorum else None

    async def _gather(
        self,
        question: str,
        call: Callable[[Endpoint], Awaitable[Result]],
        want: Callable[[Mapping[str, Result | Failure]], object] | None = None,
    ) -> dict[str, Result | Failure]:
        """Ask all; once `want` has what it wants (or a quorum agrees), the rest get a moment."""
        tasks = {
            asyncio.create_task(self._one(endpoint, call)): name
            for name, endpoint in self._readers.items()
        }
        answers: dict[str, Result | Failure] = {}
        pending = set(tasks)
        try:
            while pending:
                done, pending = await asyncio.wait(pending, return_when="FIRST_COMPLETED")
                for task in done:
                    answers[tasks[task]] = task.result()
                if pending and self._settled(question, answers, want):
                    done, pending = await asyncio.wait(pending, timeout=GRACE_S)
                    for task in done:
                        answers[tasks[task]] = task.result()
                    break
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
        for task in pending:
            answers[tasks[task]] = Failure(reason="slower than the others", reached=True)
        return {name: answers[name] for name in self._readers}

    def _settled(
        self,
        question: str,
        answers: Mapping[str, Result | Failure],
        want: Callable[[Mapping[str, Result | Failure]], object] | None,
    ) -> bool:
        if want is not None:
            return want(answers) is not None
        return isinstance(self.endpoints.compare(question, answers), Known)

    async def _one(
        self, endpoint: Endpoint, call: Callable[[Endpoint], Awaitable[Result]]
    ) -> Result | Failure:
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await call(endpoint)
        except MissingError as error:
            self.endpoints.on_answer(endpoint.name)
            return Failure(reason=str(error), reached=True)
        except (EndpointError, TimeoutError) as error:
            reason = str(error) or f"no answer in {ANSWER_S:g} s"
            self.endpoints.on_failure(endpoint.name, reason)
            return Failure(reason=reason)
        self.endpoints.on_answer(endpoint.name)
        return answer


def _all_answered(answers: Mapping[str, object]) -> object:
    """Return something once one took it: sending goes to everybody, one is enough."""
    taken = any(
        isinstance(answer, SendResult) and answer.outcome.taken for answer in answers.values()
    )
    return True if taken else None


def split_answers(
    answers: Mapping[str, tuple[Result, ...] | Failure], count: int
) -> list[dict[str, Result | Failure]]:
    """Turn answers about many things into those about each; a failure is about all."""
    return [
        {
            name: answer if isinstance(answer, Failure) else answer[place]
            for name, answer in answers.items()
        }
        for place in range(count)
    ]


def _reasons(question: str, answers: Mapping[str, object]) -> str:
    told = [
        f"{name}: {answer.reason if isinstance(answer, Failure) else answer}"
        for name, answer in answers.items()
    ]
    return f"{question}: " + "; ".join(told)
