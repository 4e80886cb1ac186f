"""Endpoints compared: who may be believed.  The rule: only what a quorum says alike is known.

Sans-I/O.  The quorum is more than half of all endpoints, whether they answer or not, so two answers
can never both have one.  An endpoint that contradicts the quorum about one and the same block lies;
one that is only somewhere else (behind, ahead, on a fork) is named for that.
"""

from collections.abc import Hashable, Mapping
from enum import StrEnum
from typing import Generic, TypeVar

from msgspec import Struct

from seawall.lib.invariants import invariant
from seawall.treasury.chain import Block

Value = TypeVar("Value", bound=Hashable)


class Health(StrEnum):
    """Worst first: an endpoint has the first that fits."""

    LYING = "lying"
    """It contradicted the quorum about one block or transaction that both have."""
    DISPUTED = "disputed"
    """It and another contradict each other, and no quorum decides between them."""
    FORKED = "forked"
    """It follows another chain, deeper than ordinary reorganisations go."""
    UNREACHABLE = "unreachable"
    STALLED = "stalled"
    """It shows no new block while others do."""
    LAGGING = "lagging"
    AHEAD = "ahead"
    """It claims blocks that no quorum has."""
    SOUND = "sound"
    UNASKED = "unasked"


class Terms(Struct, frozen=True, kw_only=True):
    """How patient the comparison is."""

    quorum: int
    block_ms: int
    lag_blocks: int = 3
    """Further behind or ahead than this is named."""
    fork_blocks: int = 3
    """Different blocks this deep below the quorum's head are no ordinary race at the tip."""
    stall_blocks: int = 5
    """No new block for so many block times, while others have one, is a stall."""
    memory_ms: int = 3_600_000
    """How long a lie is remembered."""


class Verdict(Struct, frozen=True, kw_only=True):
    endpoint: str
    health: Health
    detail: str
    head: int


class Failure(Struct, frozen=True, kw_only=True):
    """An endpoint's lack of an answer."""

    reason: str
    reached: bool = False
    """It answered, but does not have what was asked for."""


class Known(Struct, Generic[Value], frozen=True, kw_only=True):
    """A quorum's answer, and who said otherwise."""

    value: Value
    dissenters: tuple[str, ...]


class Unknown(Struct, frozen=True, kw_only=True):
    reason: str
    disputed: bool
    """Endpoints answered, and differed; False: too few answered."""


class _Standing:
    """What is known of one endpoint."""

    def __init__(self) -> None:
        self.head: Block | None = None
        self.progress_ns = 0
        self.failure = ""
        self.lie = ""
        self.lie_ns = 0
        self.dispute = ""
        self.fork = ""


class Endpoints:
    """The endpoints of one network, and what each has shown of itself."""

    def __init__(self, names: list[str], terms: Terms) -> None:
        invariant(len(set(names)) == len(names), "endpoints have different names")
        invariant(
            len(names) < 2 * terms.quorum <= 2 * len(names),
            "a quorum is more than half of the endpoints",
        )
        self.terms = terms
        self.head: Block | None = None
        """The newest block that a quorum agreed on."""
        self.head_ns = 0
        """When that was first so: a halted chain shows here."""
        self._standings = {name: _Standing() for name in names}

    def compare(
        self, question: str, answers: Mapping[str, Value | Failure]
    ) -> "Known[Value] | Unknown":
        """Return the answer that a quorum gave alike."""
        votes: dict[Value, list[str]] = {}
        failures = []
        for name, answer in answers.items():
            if isinstance(answer, Failure):
                failures.append(f"{name}: {answer.reason}")
            else:
                votes.setdefault(answer, []).append(name)
        for value, names in votes.items():
            if len(names) >= self.terms.quorum:
                others = [name for each in votes.values() if each is not names for name in each]
                return Known(value=value, dissenters=tuple(others))
        told = [f"{'+'.join(names)}: {_short(value)}" for value, names in votes.items()]
        reason = "; ".join([*told, *failures]) or "nobody answered"
        return Unknown(
            reason=f"{question}: {self.terms.quorum} must agree; {reason}", disputed=len(votes) > 1
        )

    def compare_bound(
        self, question: str, answers: Mapping[str, Value | Failure], now_ns: int
    ) -> "Known[Value] | Unknown":
        """Compare answers about one block, by its id: to differ from a quorum is a lie."""
        found = self.compare(question, answers)
        if isinstance(found, Known):
            for name in found.dissenters:
                self.accuse(name, question, now_ns)
            for name, answer in answers.items():
                if answer == found.value:
                    self._standings[name].dispute = ""
        elif found.disputed:
            for name, answer in answers.items():
                if not isinstance(answer, Failure):
                    self._standings[name].dispute = found.reason
        return found

    def accuse(self, name: str, detail: str, now_ns: int) -> None:
        """Remember that an endpoint contradicted the quorum about one block."""
        standing = self._standings[name]
        standing.lie = detail
        standing.lie_ns = now_ns

    def on_answer(self, name: str) -> None:
        self._standings[name].failure = ""

    def on_failure(self, name: str, reason: str) -> None:
        self._standings[name].failure = reason

    def on_head(self, name: str, head: Block, now_ns: int) -> None:
        """Note an endpoint's own head."""
        standing = self._standings[name]
        if standing.head is None or standing.head.id != head.id:
            standing.progress_ns = now_ns
        standing.head = head
        standing.failure = ""

    def height_to_ask(self, heads: Mapping[str, Block | Failure]) -> int | None:
        """Return the greatest height that a quorum claims to have; None if too few answered."""
        heights = sorted(
            (head.number for head in heads.values() if isinstance(head, Block)), reverse=True
        )
        quorum = self.terms.quorum
        return heights[quorum - 1] if len(heights) >= quorum else None

    def on_common(
        self, answers: Mapping[str, Block | Failure], below_tip: int, now_ns: int
    ) -> "Known[Block] | Unknown":
        """Compare the blocks at one height, `below_tip` under the first height asked for."""
        found = self.compare("block", answers)
        if isinstance(found, Unknown):
            if below_tip >= self.terms.fork_blocks and found.disputed:
                for name, answer in answers.items():
                    if isinstance(answer, Block):
                        self._standings[name].dispute = found.reason
            return found
        for name, answer in answers.items():
            self._judge_block(name, answer, found.value, now_ns)
        if self.head is None or self.head.id != found.value.id:
            self.head_ns = now_ns
        self.head = found.value
        return found

    def on_deep(self, answers: Mapping[str, Block | Failure], now_ns: int) -> None:
        """Compare the blocks at a height well below the tip: to differ there is a fork."""
        found = self.compare("deep block", answers)
        for name, answer in answers.items():
            standing = self._standings[name]
            if isinstance(answer, Failure):
                continue
            if isinstance(found, Unknown):
                standing.dispute = found.reason if found.disputed else standing.dispute
            elif answer == found.value:
                standing.fork = ""
                standing.dispute = ""
            else:
                self._judge_block(name, answer, found.value, now_ns)
                standing.fork = f"block {answer.number} is {answer.id}, not {found.value.id}"

    def _judge_block(self, name: str, answer: Block | Failure, agreed: Block, now_ns: int) -> None:
        if isinstance(answer, Block) and answer.id == agreed.id and answer != agreed:
            self.accuse(name, f"block {agreed.id} has another parent or time", now_ns)
        elif answer == agreed:
            self._standings[name].dispute = ""

    def should_have(self, name: str, number: int) -> bool:
        """Return whether a block is deep enough that the endpoint cannot innocently lack it."""
        standing = self._standings[name]
        newest = min(one.number for one in (self.head, standing.head) if one) if self.head else 0
        settled = number <= newest - self.terms.fork_blocks
        return settled and standing.head is not None and not standing.fork

    def verdicts(self, now_ns: int) -> list[Verdict]:
        """Return what is to be thought of each endpoint."""
        return [self._verdict(name, now_ns) for name in self._standings]

    def _verdict(self, name: str, now_ns: int) -> Verdict:
        standing = self._standings[name]
        health, detail = self._health(standing, now_ns)
        number = standing.head.number if standing.head else 0
        return Verdict(endpoint=name, health=health, detail=detail, head=number)

    def _health(self, standing: _Standing, now_ns: int) -> tuple[Health, str]:
        terms = self.terms
        if standing.lie and now_ns - standing.lie_ns <= terms.memory_ms * 1_000_000:
            return Health.LYING, standing.lie
        if standing.dispute:
            return Health.DISPUTED, standing.dispute
        if standing.fork:
            return Health.FORKED, standing.fork
        if standing.failure:
            return Health.UNREACHABLE, standing.failure
        if standing.head is None:
            return Health.UNASKED, ""
        number = standing.head.number
        silent_ms = (now_ns - standing.progress_ns) // 1_000_000
        others_go_on = any(
            other.progress_ns > standing.progress_ns for other in self._standings.values()
        )
        behind = (self.head.number if self.head else number) - number
        if others_go_on and behind > 0 and silent_ms > terms.stall_blocks * terms.block_ms:
            return Health.STALLED, f"block {number} since {silent_ms // 1000} s"
        if behind > terms.lag_blocks:
            return Health.LAGGING, f"{behind} blocks behind"
        if -behind > terms.lag_blocks:
            return Health.AHEAD, f"claims {-behind} blocks that no quorum has"
        return Health.SOUND, ""

    def halted_ms(self, now_ns: int) -> int:
        """Return for how long no quorum has shown a new block."""
        return (now_ns - self.head_ns) // 1_000_000 if self.head else 0


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:100]}… ({len(text)} characters)"
