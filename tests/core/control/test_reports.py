"""Reports: who is believed, and how little a watcher gone wrong can spoil."""

from tests.core.control.watch_desk import KEY, RUNBOOK, SECOND_NS, WatchDesk, refusal

from seawall.core.control.verdicts import healthy_ns
from seawall.model import limits
from seawall.model.control_commands import AdoptRunbook, RegisterWatcher
from seawall.model.control_events import ReportTaken, WatcherChanged
from seawall.model.rejections import Rejection
from seawall.model.signals import SignalKind
from seawall.model.watch_facts import Health

SPOT = "cell/spot"
OK, DOWN = Health.OK, Health.DOWN


def test_a_report_is_taken_once_and_only_from_a_watcher() -> None:
    desk = WatchDesk()
    taken = desk.say("b", (SPOT, OK), number=7)
    assert [(event.watcher, event.number) for event in taken if isinstance(event, ReportTaken)] == [
        ("b", 7)
    ]
    assert refusal(desk.say("b", (SPOT, DOWN), number=7)) is Rejection.REPORT_REPEATED
    assert refusal(desk.say("b", (SPOT, DOWN), number=6)) is Rejection.REPORT_REPEATED
    assert refusal(desk.say("zed", (SPOT, DOWN))) is Rejection.UNKNOWN_WATCHER
    desk.remove("b")
    assert refusal(desk.say("b", (SPOT, DOWN), number=8)) is Rejection.UNKNOWN_WATCHER
    assert desk.state.book.verdicts[SPOT].words == {}


def test_a_wrong_clock_spoils_nothing_that_comes_after_it_is_set_right() -> None:
    desk = WatchDesk()
    for skew_s in (11, -11, 86_400 * 365 * 70, -86_400):
        events = desk.say("b", (SPOT, DOWN), skew_ns=skew_s * SECOND_NS)
        assert refusal(events) is Rejection.REPORT_CLOCK
    # A number that no clock could have told for years to come would shut its watcher out.
    assert refusal(desk.say("b", (SPOT, DOWN), number=1 << 62)) is Rejection.REPORT_CLOCK
    assert desk.state.book.watchers["b"].number == 0
    assert refusal(desk.say("b", (SPOT, OK))) is None
    # Within the skew it may run ahead; set right, it is heard again as soon as that has passed.
    assert refusal(desk.say("b", (SPOT, OK), skew_ns=9 * SECOND_NS)) is None
    assert refusal(desk.say("b", (SPOT, OK))) is Rejection.REPORT_REPEATED
    assert refusal(desk.say("b", (SPOT, OK), after_ns=10 * SECOND_NS)) is None


def test_a_word_that_was_long_on_its_way_is_old() -> None:
    desk = WatchDesk()
    for _ in range(60):
        for watcher in ("b", "c"):
            desk.say(watcher, (SPOT, OK), after_ns=SECOND_NS, skew_ns=-6 * SECOND_NS)
    assert desk.health(SPOT) is Health.UNKNOWN


def test_a_report_is_refused_whole_for_a_name_that_is_none() -> None:
    desk = WatchDesk()
    for name in ("", "a b", "rpc/*", "x" * (limits.DEPENDENCY_CHARS + 1), "c\u00e9ll", "a|b"):
        events = desk.say("b", (SPOT, OK), (name, OK))
        assert refusal(events) is Rejection.INVALID_DEFINITION
    many = [(f"rpc/{at}", OK) for at in range(limits.SIGNALS_PER_REPORT + 1)]
    assert refusal(desk.say("b", *many)) is Rejection.INVALID_DEFINITION
    assert refusal(desk.say("b", *many[:-1])) is None


def test_of_several_words_on_one_thing_the_gravest_counts() -> None:
    desk = WatchDesk()
    desk.say("b", (SPOT, OK), (SPOT, DOWN), (SPOT, Health.UNKNOWN), detail="x" * 1_000)
    words = desk.state.book.verdicts[SPOT].words
    assert [word.health for word in words.values()] == [DOWN]
    assert len(words["b|probe"].detail) == limits.SIGNAL_DETAIL_CHARS


def test_a_word_tells_since_when_it_was_said_without_a_break() -> None:
    desk = WatchDesk()
    desk.say("b", (SPOT, DOWN))
    begun_ns = desk.now_ns
    desk.say("b", (SPOT, DOWN), after_ns=4 * SECOND_NS)
    assert desk.state.book.verdicts[SPOT].words["b|probe"].since_ns == begun_ns
    desk.say("b", (SPOT, DOWN), after_ns=6 * SECOND_NS)
    assert desk.state.book.verdicts[SPOT].words["b|probe"].since_ns == desk.now_ns


def test_what_one_watcher_invents_has_no_verdict_and_no_room() -> None:
    """A name that only a liar knows must not hold up what waits for `rpc/*`."""
    desk = WatchDesk()
    for round_ in range(5):
        junk = [(f"rpc/{round_}/{at}", DOWN) for at in range(limits.SIGNALS_PER_REPORT)]
        for watcher in ("a1", "a2"):
            desk.say(watcher, *junk)
    assert list(desk.state.book.verdicts) == [SPOT]
    # Its last report alone is kept.
    assert len(desk.state.book.unconfirmed) == limits.SIGNALS_PER_REPORT
    desk.say("b", ("rpc/one", OK))
    desk.say("c", ("rpc/one", OK, SignalKind.FEED))
    assert list(desk.state.book.verdicts) == [SPOT]
    desk.say("c", ("rpc/one", OK))
    assert list(desk.state.book.verdicts) == [SPOT, "rpc/one"]
    assert "rpc/one" not in desk.state.book.unconfirmed
    # What the runbook does not know at all is not heard.
    for watcher in ("a1", "b", "c"):
        desk.say(watcher, ("dns/one", OK))
    assert list(desk.state.book.verdicts) == [SPOT, "rpc/one"]


def test_however_many_dependencies_are_told_of_the_state_stays_small() -> None:
    desk = WatchDesk()
    for round_ in range(4):
        many = [(f"own/{round_}/{at}", OK) for at in range(limits.SIGNALS_PER_REPORT)]
        for watcher in ("a1", "b"):
            desk.say(watcher, *many)
    assert len(desk.state.book.verdicts) == limits.DEPENDENCIES
    assert len(desk.state.book.unconfirmed) <= 2 * limits.SIGNALS_PER_REPORT


def test_adopting_the_runbook_again_forgets_what_is_gone() -> None:
    desk = WatchDesk()
    for watcher in ("b", "c"):
        desk.say(watcher, ("rpc/old", OK), ("rpc/new", OK))
    for watcher in ("b", "c"):
        desk.say(watcher, ("rpc/new", OK), after_ns=4 * SECOND_NS)
    desk.do(AdoptRunbook(text=RUNBOOK, person="sam"))
    assert list(desk.state.book.verdicts) == [SPOT, "rpc/new"]
    desk.remove("b")
    desk.remove("c")
    assert list(desk.state.book.verdicts) == [SPOT]


def test_health_is_counted_from_the_verdict_on() -> None:
    desk = WatchDesk()
    for _ in range(30):
        for watcher in ("b", "c"):
            desk.say(watcher, (SPOT, OK), after_ns=SECOND_NS // 2)
    assert 8 * SECOND_NS < healthy_ns(desk.state, SPOT) < 11 * SECOND_NS
    assert healthy_ns(desk.state, "rpc/none") == 0


def test_registering_again_changes_key_or_place_and_forgets_the_words() -> None:
    desk = WatchDesk()
    desk.say("b", (SPOT, OK))
    assert desk.register("b", "blue") == []
    assert list(desk.state.book.verdicts[SPOT].words) == ["b|probe"]
    number = desk.state.book.watchers["b"].number
    changed = desk.register("b", "coral", "cd" * 32)
    assert [type(event) for event in changed] == [WatcherChanged]
    watcher = desk.state.book.watchers["b"]
    assert (watcher.provider, watcher.key, watcher.number) == ("coral", "cd" * 32, number)
    assert desk.state.book.verdicts[SPOT].words == {}


def test_watchers_that_cannot_be() -> None:
    desk = WatchDesk()
    for watcher, provider, key, person in (
        ("d", "blue", KEY, ""),
        ("", "blue", KEY, "sam"),
        ("d|e", "blue", KEY, "sam"),
        ("d", "", KEY, "sam"),
        ("d", "blue", "xy" * 32, "sam"),
        ("d", "blue", KEY.upper(), "sam"),
        ("d", "blue", KEY[:-1], "sam"),
        ("d" * 65, "blue", KEY, "sam"),
    ):
        command = RegisterWatcher(watcher=watcher, provider=provider, key=key, person=person)
        assert refusal(desk.do(command)) is Rejection.INVALID_DEFINITION
    for number in range(limits.WATCHERS - len(desk.state.book.watchers)):
        assert refusal(desk.register(f"w{number}", "blue")) is None
    assert refusal(desk.register("more", "blue")) is Rejection.INVALID_DEFINITION
