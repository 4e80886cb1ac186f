"""When a replica tries to take a cell's lead.  The rule: a guess about life, never about safety.

Sans-I/O.  The journal alone decides who leads: `Lead(epoch + 1)` at the exact next sequence.  What
is guessed here is only whether the present leader still lives, from how long nothing was written
while the journal did answer; a wrong guess costs a change of leader and nothing else.  A leader
writes at least every `tick_s`, so silence means something.  Nodes wait in the order in which the
topology prefers them, each `stagger_s` longer, so that two rarely try at once.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

NOBODY: Final = ""
LONGEST_DAMPING: Final = 64
"""How many times `return_s` a node waits at most before it asks for the lead again."""


class Terms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How patient a replica is; in seconds."""

    tick_s: float = 0.5
    """A leader that has nothing else to write writes a `Tick` this often."""
    silence_s: float = 1.3
    """No entry for so long: the leader is taken for dead."""
    stagger_s: float = 0.3
    """What each place in the order of preference adds."""
    grace_s: float = 0.3
    """What a leader gets, once the journal answers again, to write first."""
    yield_s: float = 1.5
    """How long whoever gave the lead up waits for another to take it."""
    lane_s: float = 0.75
    """No entry for so long: a cancel is written without a leader."""
    return_s: float = 10.0
    """How long the preferred node follows without trouble before it asks for the lead."""


class Leadership:
    """One replica's view of who leads its cell, and since when nothing was heard."""

    def __init__(
        self, node: str, preference: Sequence[str], now_s: float, terms: Terms | None = None
    ) -> None:
        self.terms = terms or Terms()
        self.leader = NOBODY
        self.epoch = 0
        self.node = node
        self._rank = preference.index(node) if node in preference else len(preference)
        self._preference = tuple(preference)
        self._heard_s = now_s
        """When an entry last came."""
        self._answering_since_s: float | None = None
        """Since when the journal answers; None while it does not."""
        self._asked_s: float | None = None
        """When this node was asked to take the lead."""
        self._following_since_s = now_s
        self._terms_lost = 0
        self._yields_until_s = now_s

    @property
    def leads(self) -> bool:
        return self.leader == self.node

    def on_entry(self, now_s: float) -> None:
        """Take note of an entry: whoever wrote it lives."""
        self._heard_s = now_s

    def on_lead(self, epoch: int, node: str, now_s: float) -> None:
        """Take note of a `Lead`."""
        if self.leads and node != self.node:
            self._terms_lost += 1
        if node != self.leader:
            self._following_since_s = now_s
        self.leader, self.epoch = node, epoch
        self._asked_s = None
        self._heard_s = now_s

    def on_answer(self, now_s: float) -> None:
        """Take note that the journal answered: a majority of it is there."""
        if self._answering_since_s is None:
            self._answering_since_s = now_s

    def on_no_answer(self, now_s: float) -> None:
        """Take note that it did not: nobody can write, so silence says nothing."""
        self._answering_since_s = None
        self._following_since_s = now_s

    def on_hand_over(self, now_s: float) -> None:
        """Take note that the leader wants this node to lead."""
        self._asked_s = now_s

    def on_resigned(self, now_s: float) -> None:
        """Take note that this node gave the lead up: others may take it first."""
        self._yields_until_s = now_s + self.terms.yield_s

    def silent_s(self, now_s: float) -> float:
        """Return for how long nobody wrote though the journal answers; 0 while it does not."""
        return 0.0 if self._answering_since_s is None else max(now_s - self._heard_s, 0.0)

    def lane_open(self, now_s: float) -> bool:
        """Whether a cancel may be written without a leader: it can be, and none seems there."""
        return self.silent_s(now_s) >= self.terms.lane_s

    def campaigns(self, now_s: float) -> bool:
        """Whether to try to take the lead now; the replica must have applied all there is."""
        if self._answering_since_s is None or now_s < self._yields_until_s:
            return False
        waits_s = self._rank * self.terms.stagger_s
        if self._asked_s is not None:
            return True
        if self.leader == NOBODY:
            return now_s - self._answering_since_s >= waits_s
        if self.leads:
            # Its own earlier life led, or its term ended in doubt.  Others wait longer.
            return now_s - self._answering_since_s >= min(waits_s, self.terms.grace_s)
        answering_s = now_s - self._answering_since_s
        return (
            self.silent_s(now_s) >= self.terms.silence_s + waits_s
            and answering_s >= self.terms.grace_s + waits_s
        )

    def wants_back(self, now_s: float) -> bool:
        """Whether to ask the leader for the lead: this node is preferred, and has been well.

        Each lost term doubles the wait, so that a node that flaps does not drag the lead along.
        """
        if self.leader in (NOBODY, self.node) or self._answering_since_s is None:
            return False
        if self.leader in self._preference[: self._rank]:
            return False
        damping: int = min(2**self._terms_lost, LONGEST_DAMPING)
        return bool(now_s - self._following_since_s >= self.terms.return_s * damping)

    def on_asked_back(self, now_s: float) -> None:
        """Take note that the leader was asked; it is asked again only after another wait."""
        self._following_since_s = now_s
