"""The loop around the payments of one network.  The rule: journal first, send after, in turn.

It asks chain and signer what the pipeline wants to know, performs the effects, and keeps nothing.
A question that has no answer ends the step; the next one begins anew.
"""

import asyncio
import itertools
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Final, Generic, Protocol, TypeVar

import structlog

from seawall.core.funding_state import FundingState
from seawall.model.events import CommandRejected, Event
from seawall.model.funding_commands import FundingCommand
from seawall.treasury.chain import (
    Block,
    Chain,
    Receipt,
    RefusedError,
    UnknownError,
    Unsigned,
    UtxoUnsigned,
)
from seawall.treasury.following import AnyFacts, Follower
from seawall.treasury.outgoing import (
    Alarm,
    Ask,
    Effect,
    Propose,
    Send,
    attempt_of,
    prepare,
)
from seawall.treasury.signer.client import SignerSilentError
from seawall.treasury.signer.messages import (
    SIGNED_AT_ONCE,
    Answer,
    Failed,
    Refusal,
    Refused,
    Request,
    Sign,
    Signed,
    SignedMany,
    SignMany,
)

STEADY_TRIES: Final = 5
"""How often facts are gathered again because the head moved meanwhile."""
ROUNDS: Final = 1_000
"""Payments that one step may prepare."""

COINS_ASKED: Final = 500
"""Coins that one request to the signer spends: a frame has an end."""

Result = TypeVar("Result")

_log = structlog.get_logger()

Submit = Callable[[FundingCommand], Awaitable[Sequence[Event]]]


class Asker(Protocol):
    """The signer, as the drivers see it."""

    async def ask(self, request: Request) -> Answer: ...


class SigningDriver(ABC, Generic[AnyFacts]):
    """Steps one network's payouts; more pipelines may add their effects to a step."""

    def __init__(
        self,
        payouts: Follower[AnyFacts],
        chain: Chain,
        signer: Asker,
        state: Callable[[], FundingState],
        submit: Submit,
    ) -> None:
        self._follower = payouts
        self._chain = chain
        self._signer = signer
        self._state = state
        self._submit = submit
        self._alarmed: set[Alarm] = set()
        self.unleased = False
        """The signer pays no user because its lease ran out: what it refused is asked again."""
        self._refused_for_lease = False

    @abstractmethod
    async def _gather_at(self, head: Block) -> AnyFacts:
        """Return facts, all of this head."""

    @abstractmethod
    async def _signed_before(self, ask: Ask, refused: Refused) -> FundingCommand | None:
        """Return what journals bytes that the signer signed earlier and that are as good."""

    def _in_line(self, _ask: Ask) -> bool:
        """Say whether it may be signed only once all before it are."""
        return False

    @abstractmethod
    async def _foretold(self, ask: Ask, facts: AnyFacts, why: str) -> bool:
        """Deal with a payment that would fail; True if something changed."""

    async def step(self) -> bool:
        """Do what can be done now; False if chain or signer did not say enough to decide."""
        self._refused_for_lease = False
        try:
            facts = await self.gather()
            for _ in range(ROUNDS):
                if not await self.perform(self._follower.decide(self._state(), facts), facts):
                    break
        except (UnknownError, SignerSilentError) as error:
            self._alarm(Alarm(name="unknown", subject=self._follower.network, detail=str(error)))
            return False
        self.unleased = self._refused_for_lease
        return True

    async def gather(self) -> AnyFacts:
        """Return facts that are all of one head, or raise UnknownError."""
        head = await self._chain.head()
        for _ in range(STEADY_TRIES):
            facts = await self._gather_at(head)
            again = await self._chain.head()
            if again.id == head.id:
                return facts
            head = again
        raise UnknownError("the head moves faster than it can be read")

    async def _find_user(
        self, slot: str, users: dict[str, str], receipts: dict[str, Receipt]
    ) -> None:
        user = await self._chain.transaction_in_slot(slot)
        receipt = None if user is None else await self._chain.receipt(user)
        if user is not None and receipt is not None:
            users[slot] = user
            receipts[user] = receipt

    async def perform(self, effects: Sequence[Effect], facts: AnyFacts) -> bool:
        """Perform the effects in order; True if something changed that may allow more.

        Those of one kind that follow each other share an append, or a request to the chain.
        """
        changed = False
        for kind, run in itertools.groupby(effects, type):
            same = list(run)
            if kind is Alarm:
                for alarm in _of(Alarm, same):
                    self._alarm(alarm)
            elif kind is Propose:
                commands = [effect.command for effect in _of(Propose, same)]
                changed = await self._propose_all(commands) or changed
            elif kind is Send:
                changed = await self._send_all(_of(Send, same)) or changed
            else:
                changed = await self._ask_all(_of(Ask, same), facts) or changed
        return changed

    async def _propose_all(self, commands: Sequence[FundingCommand]) -> bool:
        """Propose all in their order; they may share one append."""
        return any(await _together([self._propose(command) for command in commands]))

    async def _propose(self, command: FundingCommand) -> bool:
        events = await self._submit(command)
        refused = next((event for event in events if isinstance(event, CommandRejected)), None)
        if refused is not None:
            _log.warning(
                "payouts.refused",
                command=type(command).__name__,
                reason=refused.reason.value,
                detail=refused.detail,
            )
        return bool(events) and refused is None

    async def _send_all(self, sends: Sequence[Send]) -> bool:
        taken = []
        results = await self._chain.send_all([bytes.fromhex(send.signed) for send in sends])
        for send, result in zip(sends, results, strict=True):
            if result.outcome.taken:
                taken.append(send.then)
                continue
            detail = f"{result.outcome.value} {result.detail}".strip()
            self._alarm(Alarm(name="not_taken", subject=send.tx_id, detail=detail))
        return await self._propose_all(taken)

    async def _ask_all(self, asks: Sequence[Ask], facts: AnyFacts) -> bool:
        """Have them signed, and journal those together.

        What stands in line after a failure is not signed: its slot would have a free one before it.
        """
        lined: list[tuple[Ask, Unsigned]] = []
        others: list[tuple[Ask, Unsigned]] = []
        refused: list[tuple[Ask, str]] = []
        broken = False
        for ask, unsigned in zip(asks, await self._build_all(asks), strict=True):
            in_line = self._in_line(ask)
            if broken and in_line:
                continue
            if isinstance(unsigned, RefusedError):
                refused.append((ask, str(unsigned)))
                broken = broken or in_line
            else:
                (lined if in_line else others).append((ask, unsigned))
        commands: list[FundingCommand] = []
        try:
            await self._sign_all(lined, commands, in_line=True)
            await self._sign_all(others, commands, in_line=False)
        except SignerSilentError:
            await self._propose_all(commands)
            raise
        changed = await self._propose_all(commands)
        for ask, why in refused:
            self._alarm(Alarm(name="foretold_to_fail", subject=ask.payment, detail=why))
            changed = await self._foretold(ask, facts, why) or changed
        return changed

    async def _build_all(self, asks: Sequence[Ask]) -> list[Unsigned | RefusedError]:
        """Return what is to be signed, or why the chain foretells that it fails."""
        orders = [ask.order for ask in asks if ask.unsigned is None]
        built = iter(await self._chain.build_all(orders) if orders else [])
        return [next(built) if ask.unsigned is None else ask.unsigned for ask in asks]

    async def _sign_all(
        self, wanted: list[tuple[Ask, Unsigned]], commands: list[FundingCommand], *, in_line: bool
    ) -> None:
        """Add the commands that journal the signed bytes; an alarm tells of what is not signed."""
        while wanted:
            part = _part(wanted)
            requests = tuple(self._request(ask, unsigned) for ask, unsigned in part)
            answer = await self._signer.ask(SignMany(requests=requests, in_line=in_line))
            if not isinstance(answer, SignedMany) or not answer.answers:
                detail = answer.detail if isinstance(answer, Failed) else type(answer).__name__
                self._alarm(Alarm(name="not_signed", subject=part[0][0].payment, detail=detail))
                return
            for (ask, unsigned), each in zip(part, answer.answers, strict=False):
                command = await self._taken_up(ask, unsigned, each)
                if command is not None:
                    commands.append(command)
                elif in_line:
                    return
            wanted = wanted[len(answer.answers) :]

    def _request(self, ask: Ask, unsigned: Unsigned) -> Sign:
        return Sign(
            network=self._follower.network,
            payment=ask.payment,
            fields=unsigned.fields,
            index=ask.index,
            payee_index=ask.payee_index,
        )

    async def _taken_up(
        self, ask: Ask, unsigned: Unsigned, answer: Signed | Refused
    ) -> FundingCommand | None:
        """Return what journals the signed bytes; None, and an alarm, if there are none."""
        if isinstance(answer, Signed):
            return self._checked(ask, answer.signed, unsigned.max_cost)
        if answer.reason is Refusal.LEASE_RUN_OUT and isinstance(ask.target, int):
            self.unleased = self._refused_for_lease = True
        earlier = await self._signed_before(ask, answer)
        if earlier is None:
            detail = f"{answer.reason.value} {answer.detail}".strip()
            self._alarm(Alarm(name="not_signed", subject=ask.payment, detail=detail))
        return earlier

    def _checked(self, ask: Ask, signed: str, max_cost: int) -> FundingCommand | None:
        decoded = self._follower.decoded(signed)
        order = ask.order
        right = (decoded.payee, decoded.contract, decoded.units, decoded.slots) == (
            order.payee,
            order.contract,
            order.units,
            order.slots,
        )
        if not right:
            self._alarm(Alarm(name="strange_signature", subject=ask.payment, detail=decoded.tx_id))
            return None
        return prepare(ask.target, attempt_of(decoded, signed, max_cost))

    def _alarm(self, alarm: Alarm) -> None:
        if alarm not in self._alarmed:
            if len(self._alarmed) > ROUNDS:
                self._alarmed.clear()
            self._alarmed.add(alarm)
            _log.warning(f"payouts.{alarm.name}", subject=alarm.subject, detail=alarm.detail)


def _part(wanted: Sequence[tuple[Ask, Unsigned]]) -> Sequence[tuple[Ask, Unsigned]]:
    """Return what fits into one request to the signer, at least one."""
    coins = 0
    for count, (_, unsigned) in enumerate(wanted):
        if isinstance(unsigned.fields, UtxoUnsigned):
            coins += len(unsigned.fields.coins)
        if count and (count == SIGNED_AT_ONCE or coins > COINS_ASKED):
            return wanted[:count]
    return wanted


def _of(kind: type[Result], effects: Sequence[object]) -> list[Result]:
    return [effect for effect in effects if isinstance(effect, kind)]


async def _together(calls: Sequence[Coroutine[object, object, Result]]) -> list[Result]:
    """Return all results; a failure is raised once none of the others is under way any more."""
    found = await asyncio.gather(*calls, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return [one for one in found if not isinstance(one, BaseException)]
