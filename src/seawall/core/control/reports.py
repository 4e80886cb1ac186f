"""What watchers said.  The rule: a report is believed as its watcher's word, and as nothing more.

A watcher that lies, sends again, or whose clock is wrong spoils its own word only: refused reports
leave no trace, a number cannot run ahead of the clock, and a dependency that too few know of has
no verdict.  Verdicts are made in verdicts.py.
"""

from typing import Final

from seawall.core.control.runbook import settle_dependencies, terms_of
from seawall.core.control.runbook_checks import is_name
from seawall.core.control.state import ControlState
from seawall.core.control.wording import wrong_person
from seawall.model import limits
from seawall.model.control_commands import RegisterWatcher, RemoveWatcher, TakeReport
from seawall.model.control_events import ReportTaken, WatcherChanged
from seawall.model.control_rows import Verdict, Watcher, Word
from seawall.model.events import CommandRejected, Event
from seawall.model.rejections import Rejection
from seawall.model.signals import DECIDING, Signal, SignalKind, WatchReport
from seawall.model.watch_facts import GRAVITY

SECOND_NS: Final = 1_000_000_000
KEY_DIGITS: Final = 64
"""An Ed25519 public key in hexadecimal."""

Words = dict[tuple[str, SignalKind], Signal]


def word_key(watcher: str, kind: SignalKind) -> str:
    return f"{watcher}|{kind.value}"


def register_watcher(state: ControlState, command: RegisterWatcher) -> list[Event]:
    """Believe the watcher from now on; one that is known may change its key or provider."""
    wrong = _wrong(command)
    if wrong:
        return [CommandRejected(Rejection.INVALID_DEFINITION, wrong)]
    known = state.book.watchers.get(command.watcher)
    if known is None and len(state.book.watchers) >= limits.WATCHERS:
        return [CommandRejected(Rejection.INVALID_DEFINITION, f"over {limits.WATCHERS} watchers")]
    if known is None:
        state.book.watchers[command.watcher] = Watcher(
            watcher=command.watcher, provider=command.provider, key=command.key
        )
        return [WatcherChanged(command.watcher)]
    if (known.provider, known.key) == (command.provider, command.key):
        return []
    # What it said stood for another place, or was signed by another key.
    _forget_words(state, command.watcher)
    known.provider = command.provider
    known.key = command.key
    return [WatcherChanged(command.watcher)]


def _wrong(command: RegisterWatcher) -> str:
    """Say what is wrong with the watcher, or nothing."""
    unnamed = wrong_person(command.person)
    if unnamed:
        return unnamed
    for field, name in (("watcher", command.watcher), ("provider", command.provider)):
        if not 1 <= len(name) <= limits.WATCHER_CHARS or not is_name(name):
            return field
    digits = all(digit in "0123456789abcdef" for digit in command.key)
    if len(command.key) != KEY_DIGITS or not digits:
        return "key: 64 hexadecimal digits in small letters"
    return ""


def remove_watcher(state: ControlState, command: RemoveWatcher) -> list[Event]:
    """Believe the watcher no more, and forget what it said."""
    wrong = wrong_person(command.person)
    if wrong:
        return [CommandRejected(Rejection.INVALID_DEFINITION, wrong)]
    if command.watcher not in state.book.watchers:
        return [CommandRejected(Rejection.UNKNOWN_WATCHER, command.watcher)]
    del state.book.watchers[command.watcher]
    _forget_words(state, command.watcher)
    settle_dependencies(state)
    return [WatcherChanged(command.watcher, removed=True)]


def _forget_words(state: ControlState, watcher: str) -> None:
    for verdict in state.book.verdicts.values():
        for kind in SignalKind:
            verdict.words.pop(word_key(watcher, kind), None)
    _forget_unconfirmed(state, watcher)


def _forget_unconfirmed(state: ControlState, watcher: str) -> None:
    rumours = state.book.unconfirmed
    for name in list(rumours):
        for kind in SignalKind:
            rumours[name].pop(word_key(watcher, kind), None)
        if not rumours[name]:
            del rumours[name]


def take_report(state: ControlState, command: TakeReport) -> list[Event]:
    """Keep what the watcher said, in place of what it said of the same before."""
    report = command.report
    watcher = state.book.watchers.get(report.watcher)
    if watcher is None:
        return [CommandRejected(Rejection.UNKNOWN_WATCHER, report.watcher)]
    refused = _refused(state, watcher, report)
    if refused is not None:
        return [refused]
    # Nothing below may fail.
    watcher.number = report.number
    watcher.observed_ns = report.observed_ns
    seen_ns = min(state.at_ns, report.observed_ns)
    before = _told_before(state, report.watcher)
    _forget_unconfirmed(state, report.watcher)
    for (name, kind), signal in _gravest(report).items():
        key = word_key(report.watcher, kind)
        last = before.get((name, kind))
        word = Word(
            kind=kind,
            health=signal.health,
            detail=signal.detail[: limits.SIGNAL_DETAIL_CHARS],
            evidence=signal.evidence,
            at_ns=seen_ns,
            since_ns=_since_ns(state, last, signal),
        )
        _hear(state, name, key, word)
    return [ReportTaken(report.watcher, report.number)]


def _refused(state: ControlState, watcher: Watcher, report: WatchReport) -> CommandRejected | None:
    if report.number <= watcher.number:
        detail = f"{report.number} after {watcher.number}"
        return CommandRejected(Rejection.REPORT_REPEATED, detail)
    skew_ns = state.runbook.signals.skew_s * SECOND_NS
    if not -skew_ns <= report.observed_ns - state.at_ns <= skew_ns:
        away_s = (report.observed_ns - state.at_ns) // SECOND_NS
        return CommandRejected(Rejection.REPORT_CLOCK, f"{away_s} s away")
    # A number from a clock that runs ahead would shut out all reports after it is set right.
    if report.number > state.at_ns + skew_ns:
        return CommandRejected(Rejection.REPORT_CLOCK, "the number is ahead of the clock")
    if len(report.signals) > limits.SIGNALS_PER_REPORT:
        detail = f"more than {limits.SIGNALS_PER_REPORT} signals"
        return CommandRejected(Rejection.INVALID_DEFINITION, detail)
    for signal in report.signals:
        name = signal.dependency
        if not 1 <= len(name) <= limits.DEPENDENCY_CHARS or not is_name(name):
            return CommandRejected(Rejection.INVALID_DEFINITION, f"dependency {name[:80]!r}")
        if len(signal.evidence) > KEY_DIGITS:
            return CommandRejected(Rejection.INVALID_DEFINITION, f"evidence for {name}")
    return None


def _gravest(report: WatchReport) -> Words:
    """Return one signal for each dependency and kind: of several, the gravest."""
    found: Words = {}
    for signal in report.signals:
        place = (signal.dependency, signal.kind)
        last = found.get(place)
        if last is None or GRAVITY.index(signal.health) > GRAVITY.index(last.health):
            found[place] = signal
    return found


def _told_before(state: ControlState, watcher: str) -> dict[tuple[str, SignalKind], Word]:
    """Return the watcher's last words."""
    told: dict[tuple[str, SignalKind], Word] = {}
    keys = [(kind, word_key(watcher, kind)) for kind in SignalKind]
    for name, verdict in state.book.verdicts.items():
        for kind, key in keys:
            if key in verdict.words:
                told[name, kind] = verdict.words[key]
    for name, words in state.book.unconfirmed.items():
        for kind, key in keys:
            if key in words:
                told[name, kind] = words[key]
    return told


def _since_ns(state: ControlState, last: Word | None, signal: Signal) -> int:
    """Since when the watcher says this: an old word is no longer said."""
    fresh_ns = state.runbook.signals.fresh_s * SECOND_NS
    if last is None or last.health is not signal.health or state.at_ns - last.at_ns > fresh_ns:
        return state.at_ns
    return last.since_ns


def _hear(state: ControlState, name: str, key: str, word: Word) -> None:
    """Keep the word with the dependency's verdict, or apart until enough witnesses know it."""
    book = state.book
    verdict = book.verdicts.get(name)
    if verdict is not None:
        verdict.words[key] = word
        return
    terms = terms_of(state.runbook, name)
    if terms is None:
        return
    words = book.unconfirmed.setdefault(name, {})
    words[key] = word
    witnesses = {
        book.watchers[told.partition("|")[0]].provider: True
        for told, each in words.items()
        if each.kind in DECIDING
    }
    if len(witnesses) >= terms.quorum and len(book.verdicts) < limits.DEPENDENCIES:
        book.verdicts[name] = Verdict(since_ns=state.at_ns, words=book.unconfirmed.pop(name))
