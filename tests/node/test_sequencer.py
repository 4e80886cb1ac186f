"""The sequencer against a journal that fails in every way, with crashes and rivals at any moment.

What must hold: what was acknowledged is durable at the sequence that was told, what was refused
never happened, nothing happened twice, and order is the order of submission.
"""

import contextlib

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from seawall.journal.memory import Fault, MemoryDisk
from seawall.journal.port import Entry, Head, JournalError, JournalFullError, JournalUnknownError
from seawall.model import limits
from seawall.node.errors import OutcomeUnknownError, OverloadedError, UnavailableError
from seawall.node.sequencer import Append, Commit, Effect, Look, Refuse, Sequencer, Stop

FAULTS = [fault for fault in Fault if fault is not Fault.HANG]


class Simulation(RuleBasedStateMachine):
    """One disk, one leader at a time, and a driver that takes one step when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = MemoryDisk()
        self.submitted = 0
        self.acknowledged: dict[int, int] = {}
        """Sequence by command."""
        self.refused: set[int] = set()
        self.unknown: set[int] = set()
        self.waiting: set[int] = set()
        self.todo: list[Effect[int]] = []
        self.stopped = False
        self.epoch = 0
        self.lead()

    def lead(self) -> None:
        """Start a node on what is durable: its first entry is its claim to lead."""
        self.epoch = max(self.epoch, self.disk.head.epoch) + 1
        self.disk.faults.clear()
        head = self.disk.append(self.disk.head.sequence + 1, self.epoch, [b"lead"])
        assert isinstance(head, Head)
        self.sequencer: Sequencer[int] = Sequencer(head.sequence, self.epoch)
        self.todo = []
        self.stopped = False

    @rule(count=st.integers(1, 5))
    def submit(self, count: int) -> None:
        for _ in range(count):
            self.submitted += 1
            error = self.sequencer.on_submit(b"%d" % self.submitted, self.submitted)
            if error is None:
                self.waiting.add(self.submitted)
            else:
                # It refuses from the moment it stops; the driver may still have the Stop to do.
                assert self.sequencer.stopped
                assert isinstance(error, UnavailableError)
                self.refused.add(self.submitted)

    @rule(faults=st.lists(st.sampled_from(FAULTS), max_size=8))
    def plan(self, faults: list[Fault]) -> None:
        self.disk.faults.extend(faults)

    @rule(steps=st.integers(1, 12))
    def drive(self, steps: int) -> None:
        for _ in range(steps):
            if not self.todo:
                batch = self.sequencer.next_batch()
                if batch is None:
                    return
                self.todo = [Append(batch)]
            self.perform(self.todo.pop(0))

    def perform(self, effect: Effect[int]) -> None:
        match effect:
            case Append(batch=batch):
                try:
                    head = self.disk.append(batch.first, batch.epoch, batch.payloads)
                except JournalError as error:
                    self.todo += self.sequencer.on_append_failed(error)
                else:
                    assert isinstance(head, Head)
                    self.todo += self.sequencer.on_append_ok(head)
            case Look(batch=batch):
                found = self.disk.entries[batch.first - 1 : batch.last]
                self.todo += self.sequencer.on_read(found)
                self.disk.arrive_late()
            case Commit(batch=batch, head=head):
                assert head.sequence == batch.last
                for sequence, ticket in enumerate(batch.tickets, batch.first):
                    self.waiting.remove(ticket)
                    self.acknowledged[ticket] = sequence
            case Refuse(tickets=tickets, error=error):
                self.waiting -= set(tickets)
                (self.unknown if isinstance(error, OutcomeUnknownError) else self.refused).update(
                    tickets
                )
            case Stop():
                self.stopped = True

    @precondition(lambda self: self.stopped or self.submitted > 3)
    @rule(late=st.booleans(), replaced=st.booleans())
    def crash(self, late: bool, replaced: bool) -> None:
        """Lose the process; what it sent may still arrive.  Then it, or a rival, leads."""
        self.unknown |= self.waiting
        self.waiting = set()
        if late:
            self.disk.arrive_late()
        if replaced:
            self.disk.damaged = ""
        if not self.disk.damaged:
            self.lead()
        else:
            self.stopped = True
            self.todo = []
            self.sequencer.on_stop("crashed")

    @precondition(lambda self: not self.stopped)
    @rule(arrives=st.booleans())
    def break_an_invariant(self, arrives: bool) -> None:
        """Stop at once, while an append may be on its way."""
        for effect in self.todo:
            if isinstance(effect, Append) and arrives:
                with contextlib.suppress(JournalError):
                    self.disk.append(effect.batch.first, effect.batch.epoch, effect.batch.payloads)
            elif not isinstance(effect, Append | Look):
                self.perform(effect)
        self.todo = self.sequencer.on_stop("an invariant is broken")
        self.drive(3)

    @precondition(lambda self: not self.disk.damaged)
    @rule()
    def another_leads(self) -> None:
        """Let a rival in beside the leader, who does not know yet."""
        self.disk.faults.clear()
        self.disk.append(self.disk.head.sequence + 1, self.disk.head.epoch + 1, [b"rival"])

    @invariant()
    def acknowledged_is_durable(self) -> None:
        for command, sequence in self.acknowledged.items():
            assert self.disk.entries[sequence - 1].payload == b"%d" % command

    @invariant()
    def nothing_happens_twice_and_the_refused_never(self) -> None:
        payloads = [e.payload for e in self.disk.entries if e.payload.isdigit()]
        assert len(payloads) == len(set(payloads))
        assert not {int(payload) for payload in payloads} & self.refused

    @invariant()
    def order_is_the_order_of_submission(self) -> None:
        sequences = [self.acknowledged[command] for command in sorted(self.acknowledged)]
        assert sequences == sorted(sequences)

    @invariant()
    def everybody_is_accounted_for(self) -> None:
        known = set(self.acknowledged) | self.refused | self.unknown | self.waiting
        assert known == set(range(1, self.submitted + 1))
        assert not self.stopped or not self.waiting or self.todo

    def teardown(self) -> None:
        """Without more faults, whatever waits is answered."""
        self.disk.faults.clear()
        self.drive(1_000)
        assert not self.waiting


TestSimulation = Simulation.TestCase
TestSimulation.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def _flying() -> tuple[Sequencer[int], Append[int]]:
    """Return a sequencer whose append at 1 has an unknown outcome, and that append."""
    sequencer: Sequencer[int] = Sequencer(0, 1)
    sequencer.on_submit(b"ours", 7)
    batch = sequencer.next_batch()
    assert batch is not None
    (look,) = sequencer.on_append_failed(JournalUnknownError("no answer"))
    assert isinstance(look, Look)
    return sequencer, Append(batch)


def test_an_unknown_append_is_tried_again_only_where_it_is_absent() -> None:
    sequencer, _ = _flying()
    (again,) = sequencer.on_read([])
    assert isinstance(again, Append)
    (found,) = sequencer.on_read([Entry(1, 1, b"ours", b"hash")])
    assert isinstance(found, Commit)
    assert found.head == Head(1, 1, b"hash")


def test_the_same_bytes_of_another_leader_are_not_ours() -> None:
    sequencer, _ = _flying()
    refused, stop = sequencer.on_read([Entry(1, 2, b"ours", b"hash")])
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, UnavailableError)
    assert isinstance(stop, Stop)


def test_looking_for_ever_ends_in_an_unknown_outcome() -> None:
    sequencer, _ = _flying()
    for _ in range(limits.APPEND_ATTEMPTS - 1):
        (effect,) = sequencer.on_append_failed(JournalUnknownError("no answer"))
        assert isinstance(effect, Look)
    refused, stop = sequencer.on_append_failed(JournalUnknownError("no answer"))
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, OutcomeUnknownError)
    assert isinstance(stop, Stop)


def test_a_retry_that_finds_no_space_leaves_the_outcome_unknown() -> None:
    """The first attempt may still arrive, so its submitters may not be told that it did not."""
    sequencer, _ = _flying()
    sequencer.on_read([])
    (effect,) = sequencer.on_append_failed(JournalFullError("no space"))
    assert isinstance(effect, Look)


def test_a_batch_keeps_the_limits() -> None:
    sequencer: Sequencer[int] = Sequencer(0, 1)
    for ticket in range(limits.BATCH_COMMANDS + 1):
        assert sequencer.on_submit(b"x", ticket) is None
    batch = sequencer.next_batch()
    assert batch is not None
    assert (len(batch.payloads), batch.first) == (limits.BATCH_COMMANDS, 1)
    assert sequencer.next_batch() is None, "one append is in flight at a time"
    sequencer.on_append_ok(Head(batch.last, 1, b""))
    rest = sequencer.next_batch()
    assert rest is not None
    assert (rest.first, rest.tickets) == (limits.BATCH_COMMANDS + 1, [limits.BATCH_COMMANDS])


def test_a_batch_keeps_the_limit_of_bytes() -> None:
    sequencer: Sequencer[int] = Sequencer(0, 1)
    size = limits.BATCH_BYTES // 3 + 1
    for ticket in range(5):
        sequencer.on_submit(bytes(size), ticket)
    batch = sequencer.next_batch()
    assert batch is not None
    assert len(batch.payloads) == 2


def test_the_queue_is_bounded_by_count_and_by_bytes() -> None:
    counted: Sequencer[int] = Sequencer(0, 1)
    for ticket in range(limits.SEQUENCER_QUEUE):
        assert counted.on_submit(b"x", ticket) is None
    assert isinstance(counted.on_submit(b"x", -1), OverloadedError)
    batch = counted.next_batch()
    assert batch is not None
    assert counted.on_submit(b"x", -1) is None, "what flies does not wait"

    weighed: Sequencer[int] = Sequencer(0, 1)
    large = bytes(limits.COMMAND_BYTES)
    for ticket in range(limits.SEQUENCER_BYTES // len(large)):
        assert weighed.on_submit(large, ticket) is None
    assert isinstance(weighed.on_submit(b"x", -1), OverloadedError)


def test_full_is_remembered_until_an_append_succeeds() -> None:
    sequencer: Sequencer[int] = Sequencer(0, 1)
    sequencer.on_submit(b"x", 1)
    sequencer.next_batch()
    (refused,) = sequencer.on_append_failed(JournalFullError("no space"))
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, UnavailableError)
    assert sequencer.full == "no space"
    sequencer.on_submit(b"y", 2)
    batch = sequencer.next_batch()
    assert batch is not None
    assert batch.first == 1, "a refused batch used no sequence"
    sequencer.on_append_ok(Head(1, 1, b""))
    assert not sequencer.full
