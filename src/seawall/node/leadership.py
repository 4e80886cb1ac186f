"""When a replica tries to take a cell's lead.  The rule: a guess about life, never about safety.

Sans-I/O.  The journal alone decides who leads: `Lead(epoch + 1)` at the exact next sequence.  What
is guessed here is only whether the present leader still lives, from how long nothing was written
while the journal did answer; a wrong guess costs a change of leader and nothing else.  A leader
writes at least every `tick_s`, so silence means something.  Nodes wait in the order in which the
topology prefers them, each `stagger_s` longer, so that two rarely try at once.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

NOBODY: Final = ""
LONGEST_DAMPING: Final = 64
"""How many times `return_s` a node waits at most before it asks for the lead again."""
STEADY_TERMS: Final = 6.0
"""A node that led for so many times `return_s` was well; what it was before is forgotten."""


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
        self,
        node: str,
        preference: Sequence[str],
        now_s: float,
        terms: Terms | None = None,
        epoch: int = 0,
    ) -> None:
        self.terms = terms or Terms()
        self.leader = NOBODY
        """Nobody: the cell never had one, or a restarted node has not heard yet who leads."""
        self.epoch = epoch
        self.node = node
        self.may_lead = node in preference
        self._rank = preference.index(node) if self.may_lead else len(preference)
        self._preference = tuple(preference)
        self._heard_s = now_s
        """When an entry last came."""
        self._answering_since_s: float | None = None
        """Since when the journal answers; None while it does not."""
        self._asked_epoch = 0
        """The epoch whose leader wants this node to lead next; 0: none does."""
        self._following_since_s = now_s
        self._led_since_s = now_s
        self._short_terms: Counter[str] = Counter()
        """By node: how many terms in a row it has soon lost, as far as was seen here."""
        self._yields_until_s = now_s

    @property
    def leads(self) -> bool:
        return self.leader == self.node

    def on_entry(self, now_s: float) -> None:
        """Take note of an entry: whoever wrote it lives."""
        self._heard_s = now_s

    def on_lead(self, epoch: int, node: str, now_s: float) -> None:
        """Take note of a `Lead`."""
        if node != self.leader:
            self._note_term(now_s)
            self._following_since_s = now_s
            self._led_since_s = now_s
        self.leader, self.epoch = node, epoch
        if epoch > self._asked_epoch:
            self._asked_epoch = 0
        self._heard_s = now_s

    def on_told(self, epoch: int, node: str) -> None:
        """Learn from the leader itself who leads: a restarted node has not seen its `Lead`.

        A hint: it says where to send commands, and that there is somebody to wait for.
        """
        if self.leader == NOBODY and epoch == self.epoch and node != self.node:
            self.leader = node

    def _note_term(self, now_s: float) -> None:
        if self.leader == NOBODY:
            return
        if now_s - self._led_since_s < self.terms.return_s * STEADY_TERMS:
            self._short_terms[self.leader] += 1
        else:
            del self._short_terms[self.leader]

    def on_answer(self, now_s: float) -> None:
        """Take note that the journal answered: a majority of it is there."""
        if self._answering_since_s is None:
            self._answering_since_s = now_s

    def on_no_answer(self, now_s: float) -> None:
        """Take note that it did not: nobody can write, so silence says nothing."""
        self._answering_since_s = None
        self._following_since_s = now_s

    def on_hand_over(self, epoch: int) -> None:
        """Take note that the leader of this epoch wants this node to lead next.

        It may come late: when another leads already, it says nothing.
        """
        if epoch >= self.epoch:
            self._asked_epoch = epoch

    def on_absence(self, now_s: float) -> None:
        """Take note that this process stood still: what it knows of others is as old as that."""
        self._heard_s = now_s
        self._following_since_s = now_s
        if self._answering_since_s is not None:
            self._answering_since_s = now_s

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
        if not self.may_lead or self._answering_since_s is None or now_s < self._yields_until_s:
            return False
        waits_s = self._rank * self.terms.stagger_s
        answering_s = now_s - self._answering_since_s
        if self._asked_epoch == self.epoch > 0:
            return True
        if self.epoch == 0:
            return answering_s >= waits_s
        if self.leads:
            # Its term ended in doubt.  Others wait longer.
            return answering_s >= min(waits_s, self.terms.grace_s)
        return (
            self.silent_s(now_s) >= self.terms.silence_s + waits_s
            and answering_s >= self.terms.grace_s + waits_s
        )

    def wants_back(self, now_s: float) -> bool:
        """Whether to ask the leader for the lead: this node is preferred, and has been well.

        Each lost term doubles the wait, so that a node that flaps does not drag the lead along.
        """
        if not self.may_lead or self.leader in (NOBODY, self.node):
            return False
        if self._answering_since_s is None or self.leader in self._preference[: self._rank]:
            return False
        return now_s - self._following_since_s >= self._waits_s(self.node)

    def gives(self, node: str, now_s: float) -> bool:
        """Whether to give the lead to a node that asks for it.

        Who asks may have been restarted and know nothing of its lost terms; the leader does.
        """
        return self.leads and now_s - self._led_since_s >= self._waits_s(node)

    def on_asked_back(self, now_s: float) -> None:
        """Take note that the leader was asked; it is asked again only after another wait."""
        self._following_since_s = now_s

    def _waits_s(self, node: str) -> float:
        damping: int = min(2 ** self._short_terms[node], LONGEST_DAMPING)
        return self.terms.return_s * damping
