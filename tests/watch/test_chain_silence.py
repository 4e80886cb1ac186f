"""The verdicts: a wallet's silence is named in time, and a node's is never taken for it."""

import random
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.watch.simulated import BEGAN_S, BLOCK_S, Watched, by_day, poisson, sent

from seawall.watch.activity import HOUR_S, WEEK_S
from seawall.watch.chain_silence import Detector, Reason, Verdict
from seawall.watch.pulse import Health, Look, Moment

WALLET = poisson(by_day(20))


@pytest.mark.parametrize("per_hour", [2, 12, 200])
def test_a_silence_is_named_within_a_minute(per_hour: int) -> None:
    """Of the moment at which its probability falls below the threshold."""
    watched = Watched(poisson(by_day(per_hour)), seed=per_hour)
    first = watched.assess()
    assert first.verdict is Verdict.ACTIVE
    assert first.alarm_at_s is not None
    while (found := watched.assess()).verdict is Verdict.ACTIVE:
        assert found.probability is not None
        assert found.probability > watched.detector.threshold
        assert watched.wall_s <= first.alarm_at_s + 60
        watched.block()
    assert found.verdict is Verdict.WALLET_SILENT
    assert found.probability is not None
    assert found.probability <= watched.detector.threshold
    assert first.alarm_at_s <= watched.wall_s <= first.alarm_at_s + 60
    assert found.silent_since_s == pytest.approx(first.alarm_at_s)


def test_a_transaction_ends_it() -> None:
    watched = silenced()
    watched.send()
    watched.block()
    looking = watched.assess()
    assert (looking.verdict, looking.reason) == (Verdict.UNKNOWN, Reason.CATCHING_UP)
    assert watched.detector.wanted(watched.now) == "one"
    watched.detector.on_sent(watched.nonce, [sent(watched.wall_s)])
    assert watched.assess().verdict is Verdict.ACTIVE


@settings(max_examples=15, deadline=None)
@given(
    stood_s=st.floats(300, 3 * 24 * HOUR_S),
    answers=st.booleans(),
    jump_s=st.floats(-30 * 24 * HOUR_S, 30 * 24 * HOUR_S),
)
def test_a_node_that_stands_is_never_a_silence(
    stood_s: float, *, answers: bool, jump_s: float
) -> None:
    """However long, whether it answers or hangs, and whatever our own clock does meanwhile."""
    watched = Watched(WALLET)
    watched.block()
    before = watched.assess()
    head = watched.number
    for part in range(1, 9):
        watched.wait(stood_s / 8)
        if part == 4:
            watched.wall_s += jump_s
        if answers:
            watched.look(number=head, id=f"0x{head:x}", at_s=int(before.proved_until_s or 0))
        else:
            watched.detector.on_trouble("one", "no answer in 10 s")
        found = watched.assess()
        assert found.verdict is not Verdict.WALLET_SILENT
        assert found.probability == before.probability, "a node that stands proves nothing"
    assert found.verdict is Verdict.NODE_STALLED
    assert not found.healthy


def test_after_the_nodes_return_the_missed_blocks_count() -> None:
    """Nothing in them: the silence is named at once.  Something: it is looked up first."""
    silent, busy = Watched(WALLET), Watched(WALLET)
    for watched in (silent, busy):
        watched.wait(20 * HOUR_S)
        assert watched.assess().verdict is Verdict.NODE_STALLED
        watched.number += 6_000
    silent.look()
    assert silent.assess().verdict is Verdict.WALLET_SILENT
    busy.send()
    busy.look()
    assert busy.assess().reason is Reason.CATCHING_UP
    busy.detector.on_sent(busy.nonce, [sent(busy.wall_s - 60)])
    assert busy.assess().verdict is Verdict.ACTIVE


def test_a_silence_that_was_known_is_kept_while_the_node_stands() -> None:
    watched = silenced()
    since_s = watched.assess().silent_since_s
    watched.wait(HOUR_S)
    found = watched.assess()
    assert found.verdict is Verdict.NODE_STALLED
    assert found.silent_since_s == since_s


def test_a_node_that_catches_up_is_behind() -> None:
    watched = Watched(WALLET)
    watched.wait(12 * HOUR_S)
    for _ in range(30):
        watched.wait(1)
        watched.number += 1
        watched.look(at_s=int(watched.wall_s - 12 * HOUR_S))
        found = watched.assess()
        assert (found.verdict, found.endpoints[0].health) == (
            Verdict.NODE_BEHIND, Health.BEHIND,
        )  # fmt: skip


@given(back_s=st.integers(200, 10 * WEEK_S))
@settings(max_examples=8, deadline=None)
def test_a_clock_that_goes_backwards_makes_nothing_healthy(back_s: int) -> None:
    """Blocks then come from the future: unknown; the probability follows the chain's time."""
    watched = Watched(WALLET)
    head_s = int(watched.wall_s)
    watched.wall_s -= back_s
    watched.number += 1
    watched.look(at_s=head_s)
    found = watched.assess()
    assert (found.verdict, found.reason) == (Verdict.UNKNOWN, Reason.CLOCK)
    assert found.probability is not None
    watched.number += 1
    watched.wait(BLOCK_S)
    watched.look(at_s=head_s + 6 * HOUR_S)
    later = watched.assess().probability
    assert later is not None
    assert later < found.probability / 1_000


def test_one_endpoint_stands_and_another_goes_on() -> None:
    watched = Watched(WALLET, endpoints=("one", "two"))
    for _ in range(30):
        watched.block("two")
    found = watched.assess()
    assert (found.verdict, found.reason) == (Verdict.ENDPOINTS_DISAGREE, Reason.ONE_STALLED)
    assert [each.health for each in found.endpoints] == [Health.STALLED, Health.CURRENT]
    while watched.assess().verdict is Verdict.ENDPOINTS_DISAGREE:
        watched.block("two", seconds=60)
    assert watched.assess().verdict is Verdict.WALLET_SILENT, "the living one's evidence is enough"


def test_endpoints_that_contradict_each_other_prove_nothing() -> None:
    watched = silenced(("one", "two"))
    watched.wait(BLOCK_S)
    watched.number += 1
    watched.look("one", nonce=watched.nonce + 1)
    watched.number += 1
    watched.look("two")
    found = watched.assess()
    assert (found.verdict, found.reason) == (Verdict.ENDPOINTS_DISAGREE, Reason.CONFLICT)
    assert watched.detector.wanted(watched.now) is None


def test_forks_are_conflicts() -> None:
    watched = Watched(WALLET, endpoints=("one", "two"))
    watched.block("one", "two")
    watched.look("two", id="0xother")
    assert watched.assess().reason is Reason.CONFLICT
    watched.block("one", "two")
    assert watched.assess().verdict is Verdict.ACTIVE


def test_too_little_history_is_unknown_however_long_the_silence() -> None:
    detector = Detector(["one"])
    now = Moment(wall_s=BEGAN_S, elapsed_s=0)
    assert detector.assess(now).reason is Reason.UNREACHED
    detector.on_look("one", Look(number=1, id="0x1", at_s=BEGAN_S, nonce=5), now)
    assert detector.assess(now).reason is Reason.LEARNING
    detector.on_history(BEGAN_S - HOUR_S, 5, [sent(BEGAN_S - 60 * each) for each in range(5)])
    assert detector.assess(now).reason is Reason.SHORT_HISTORY
    later = Moment(wall_s=BEGAN_S + 20 * WEEK_S, elapsed_s=20.0 * WEEK_S)
    detector.on_look("one", Look(number=9_999, id="0x9", at_s=int(later.wall_s), nonce=5), later)
    found = detector.assess(later)
    assert (found.verdict, found.reason) == (Verdict.UNKNOWN, Reason.SELDOM)
    assert found.probability is None, "what is not known is not a number"


def test_a_reorganisation_that_takes_a_transaction_back_is_followed() -> None:
    watched = Watched(WALLET)
    watched.block()
    watched.nonce -= 1
    watched.block()
    assert watched.detector.wanted(watched.now) == "one"
    watched.detector.on_sent(watched.nonce, ())
    watched.detector.on_last(watched.last_s - 500)
    assert watched.assess().verdict is Verdict.ACTIVE


def test_usual_life_is_not_named() -> None:
    """A week of it, five minutes by five minutes."""
    watched = Watched(WALLET)
    end_s = watched.wall_s + WEEK_S
    to_come = deque(WALLET(random.Random(77), watched.wall_s, end_s))
    verdicts: dict[Verdict, int] = {}
    while watched.wall_s < end_s:
        watched.wait(300)
        watched.number += 25
        arrived = []
        while to_come and to_come[0] <= watched.wall_s:
            arrived.append(sent(to_come.popleft()))
        watched.nonce += len(arrived)
        watched.look()
        if arrived:
            watched.detector.on_sent(watched.nonce, arrived)
        verdict = watched.assess().verdict
        verdicts[verdict] = verdicts.get(verdict, 0) + 1
    assert verdicts.keys() == {Verdict.ACTIVE}


def silenced(endpoints: tuple[str, ...] = ("one",)) -> Watched:
    watched = Watched(WALLET, endpoints=endpoints)
    while watched.assess().verdict is not Verdict.WALLET_SILENT:
        watched.block(*endpoints, seconds=60)
    return watched
