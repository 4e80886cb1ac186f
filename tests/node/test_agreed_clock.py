"""One wrong clock dates nothing, from the start or in the middle of a life."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.node.agreed_clock import AgreedClock
from seawall.node.clock import ManualClock

TRUE_NS = 1_746_000_000_000_000_000
HOUR_NS = 3_600_000_000_000
SECOND_NS = 1_000_000_000


class Machine:
    """A node's wall clock and its monotonic one."""

    def __init__(self, off_ns: int = 0) -> None:
        self.wall = ManualClock(TRUE_NS + off_ns)
        self.now_s = 5_000.0
        self.clock = AgreedClock(self.wall, lambda: self.now_s)

    def passes(self, seconds: float) -> None:
        self.now_s += seconds
        self.wall.advance(round(seconds * 1e9))

    def off_ns(self, true_ns: int) -> int:
        return self.clock.now_ns() - true_ns


@pytest.mark.parametrize("jump_ns", [HOUR_NS, -HOUR_NS])
def test_a_jump_in_the_middle_of_a_life_is_not_followed_alone(jump_ns: int) -> None:
    machine = Machine()
    machine.passes(10)
    machine.wall.advance(jump_ns)
    machine.passes(10)
    assert abs(machine.off_ns(TRUE_NS + 20 * SECOND_NS)) < SECOND_NS // 1_000
    # Nor told to others.
    assert abs(machine.clock.own_ns() - TRUE_NS - 20 * SECOND_NS) < SECOND_NS // 1_000


@pytest.mark.parametrize("off_ns", [HOUR_NS, -HOUR_NS])
def test_a_node_that_starts_wrong_goes_by_the_others(off_ns: int) -> None:
    machine = Machine(off_ns)
    machine.clock.heard("blue", TRUE_NS)
    machine.clock.heard("coral", TRUE_NS + 1_000)
    machine.passes(1)
    assert abs(machine.off_ns(TRUE_NS + SECOND_NS)) < SECOND_NS // 1_000
    assert abs(machine.clock.off_s() - off_ns / 1e9) < 0.01
    # Its clock is set right: another says the same, so it is believed again.
    machine.wall.advance(-off_ns)
    machine.passes(1)
    assert abs(machine.clock.off_s()) < 0.01
    assert abs(machine.clock.own_ns() - TRUE_NS - 2 * SECOND_NS) < SECOND_NS // 1_000


def test_of_two_that_differ_the_one_behind_is_believed() -> None:
    """What has not come can still come; what was dated in the future cannot be taken back."""
    ahead, behind = Machine(HOUR_NS), Machine(-HOUR_NS)
    ahead.clock.heard("blue", TRUE_NS)
    behind.clock.heard("blue", TRUE_NS)
    assert abs(ahead.off_ns(TRUE_NS)) < SECOND_NS
    assert behind.off_ns(TRUE_NS) == -HOUR_NS


def test_the_journal_tells_the_time_to_who_hears_nobody() -> None:
    machine = Machine(HOUR_NS)
    machine.clock.read(TRUE_NS)
    machine.clock.read(TRUE_NS - 60 * SECOND_NS)  # an old entry, read late
    machine.passes(100)
    assert abs(machine.off_ns(TRUE_NS + 100 * SECOND_NS)) < SECOND_NS
    # One other clock says more than the journal does.
    machine.clock.heard("blue", TRUE_NS + 99 * SECOND_NS)
    machine.passes(1)
    assert abs(machine.off_ns(TRUE_NS + 100 * SECOND_NS)) < SECOND_NS


@given(
    wrong=st.integers(0, 2),
    offs_ns=st.lists(st.integers(-(10**6), 10**6), min_size=3, max_size=3),
    jumps_ns=st.lists(st.integers(-2 * HOUR_NS, 2 * HOUR_NS), max_size=6),
)
def test_three_nodes_of_which_one_is_wrong_date_by_true_time(
    wrong: int, offs_ns: list[int], jumps_ns: list[int]
) -> None:
    machines = [Machine(off_ns) for off_ns in offs_ns]
    true_ns = TRUE_NS
    for jump_ns in [0, *jumps_ns]:
        machines[wrong].wall.advance(jump_ns)
        for machine in machines:
            machine.passes(1)
        true_ns += SECOND_NS
        for number, machine in enumerate(machines):
            for other, told in enumerate(machines):
                if other != number:
                    machine.clock.heard(f"n{other}", told.clock.own_ns())
        for machine in machines:
            machine.passes(1)
        true_ns += SECOND_NS
        for machine in machines:
            assert abs(machine.off_ns(true_ns)) < 1.1 * SECOND_NS
