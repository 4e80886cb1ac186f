"""When a replica tries to lead, and when it must not."""

from hypothesis import given
from hypothesis import strategies as st

from seawall.node.leadership import LONGEST_DAMPING, Leadership, Terms

TERMS = Terms()
NAMES = ("amber", "blue", "coral")


def following(node: str = "blue", leader: str = "amber", now_s: float = 0.0) -> Leadership:
    leadership = Leadership(node, NAMES, now_s, TERMS)
    leadership.on_answer(now_s)
    leadership.on_lead(1, leader, now_s)
    return leadership


def test_silence_counts_only_while_the_journal_answers() -> None:
    leadership = following()
    leadership.on_no_answer(0.1)
    assert not leadership.campaigns(100.0)
    assert leadership.silent_s(100.0) == 0.0
    leadership.on_answer(100.0)
    # The leader had no majority either: it writes first.
    assert not leadership.campaigns(100.0 + TERMS.grace_s)
    assert leadership.campaigns(100.0 + TERMS.grace_s + TERMS.stagger_s + 0.01)


def test_they_try_in_the_order_of_preference() -> None:
    due = TERMS.silence_s + 0.01
    assert Leadership("amber", NAMES, 0.0, TERMS, epoch=1).campaigns(due) is False
    blue, coral = following("blue"), following("coral")
    blue_s, coral_s = due + TERMS.stagger_s, due + 2 * TERMS.stagger_s
    assert not blue.campaigns(due)
    assert blue.campaigns(blue_s)
    assert not coral.campaigns(blue_s)
    assert coral.campaigns(coral_s)


def test_who_is_not_preferred_never_leads() -> None:
    leadership = Leadership("blue", ("amber",), 0.0, TERMS)
    leadership.on_answer(0.0)
    assert not leadership.campaigns(1_000.0)
    leadership.on_lead(3, "amber", 0.0)
    leadership.on_hand_over(3)
    assert not leadership.campaigns(1_000.0)
    assert not leadership.wants_back(1_000.0)


def test_a_restarted_node_leaves_whoever_leads_alone() -> None:
    """It has replayed epoch 4 and knows not who leads: it waits as the others do."""
    leadership = Leadership("amber", NAMES, 0.0, TERMS, epoch=4)
    leadership.on_answer(0.0)
    for tenth in range(100):
        leadership.on_entry(tenth / 10)
        assert not leadership.campaigns(tenth / 10)
    leadership.on_told(3, "coral")
    assert leadership.leader == ""
    leadership.on_told(4, "blue")
    assert leadership.leader == "blue"
    leadership.on_told(4, "coral")
    assert leadership.leader == "blue"


def test_a_hand_over_that_comes_late_says_nothing() -> None:
    leadership = following("coral", "amber")
    leadership.on_lead(2, "blue", 1.0)
    leadership.on_hand_over(1)
    assert not leadership.campaigns(1.1)
    # One that comes before the `Lead` that it speaks of waits for it.
    leadership.on_hand_over(3)
    assert not leadership.campaigns(1.1)
    leadership.on_lead(3, "amber", 1.2)
    assert leadership.campaigns(1.3)
    leadership.on_lead(4, "blue", 1.4)
    assert not leadership.campaigns(1.5)


def test_a_process_that_stood_still_does_not_call_others_dead() -> None:
    leadership = following()
    leadership.on_absence(60.0)
    assert not leadership.campaigns(60.0 + TERMS.silence_s)
    assert leadership.campaigns(60.0 + TERMS.silence_s + TERMS.stagger_s + 0.1)


@given(st.lists(st.floats(0.1, 30.0), min_size=1, max_size=40))
def test_a_preferred_node_that_flaps_gets_the_lead_back_ever_later(lasted: list[float]) -> None:
    """However it flaps and is restarted, the leader's memory bounds how often the lead moves."""
    leader = Leadership("blue", NAMES, 0.0, TERMS)
    now_s, given_s = 0.0, []
    leader.on_answer(0.0)
    leader.on_lead(1, "blue", 0.0)
    epoch = 1
    for term_s in lasted:
        began_s = now_s
        while not leader.gives("amber", now_s):
            now_s += 0.5
        given_s.append(now_s - began_s)
        epoch += 2
        leader.on_lead(epoch - 1, "amber", now_s)
        now_s += term_s
        leader.on_lead(epoch, "blue", now_s)
    for number, waited_s in enumerate(given_s):
        damping = min(2**number, LONGEST_DAMPING)
        assert waited_s >= TERMS.return_s * damping - 0.5


def test_a_node_that_led_long_is_forgiven() -> None:
    leader = following("blue", "amber")
    leader.on_lead(2, "blue", 1.0)
    assert not leader.gives("amber", 1.0 + TERMS.return_s)
    assert leader.gives("amber", 1.0 + 2 * TERMS.return_s)
    leader.on_lead(3, "amber", 100.0)
    leader.on_lead(4, "blue", 200.0)
    assert leader.gives("amber", 200.0 + TERMS.return_s)
