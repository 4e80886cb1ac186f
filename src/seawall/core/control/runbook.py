"""The runbook in force, and what it says of one thing.  The rule: adopted whole, by a person.

Its text and hash stand in the state; the read form is derived.  See docs/operating/runbook.md.
"""

from hashlib import sha256
from typing import Final

from seawall.core.control.patterns import is_literal, matches
from seawall.core.control.runbook_text import RunbookError, decode_runbook, read_runbook
from seawall.core.control.state import ControlState
from seawall.core.control.wording import wrong_person
from seawall.model.control_commands import AdoptRunbook
from seawall.model.control_events import RunbookAdopted
from seawall.model.control_rows import Verdict
from seawall.model.events import CommandRejected, Event
from seawall.model.posture import ServiceKind, service_kind
from seawall.model.rejections import Rejection
from seawall.model.runbook import DependencyTerms, Ladder, Runbook

SECOND_NS: Final = 1_000_000_000

__all__ = [
    "RunbookError",
    "adopt_runbook",
    "decode_runbook",
    "ladder_name",
    "ladder_of",
    "needs_of",
    "read_runbook",
    "terms_of",
]


def adopt_runbook(state: ControlState, command: AdoptRunbook) -> list[Event]:
    """Rule by this runbook from now on, and forget dependencies that nobody tells of any more."""
    wrong = wrong_person(command.person)
    if wrong:
        return [CommandRejected(Rejection.INVALID_DEFINITION, wrong)]
    try:
        runbook = read_runbook(command.text, tuple(state.book.services))
    except RunbookError as error:
        return [CommandRejected(Rejection.RUNBOOK_INVALID, str(error))]
    # Nothing below may fail.
    book = state.book
    book.runbook_text = command.text
    book.runbook_hash = sha256(command.text.encode()).hexdigest()
    book.runbook_person = command.person
    state.runbook = runbook
    state.terms = {}
    book.unconfirmed.clear()
    settle_dependencies(state)
    return [RunbookAdopted(runbook.version, book.runbook_hash, command.person)]


def settle_dependencies(state: ControlState) -> None:
    """Have a row for each dependency that the runbook names, and none that nothing speaks of."""
    book = state.book
    named = _named(state.runbook)
    fresh_from_ns = state.at_ns - state.runbook.signals.fresh_s * SECOND_NS
    for name in list(book.verdicts):
        verdict = book.verdicts[name]
        told = [word for word in verdict.words.values() if word.at_ns >= fresh_from_ns]
        if terms_of(state.runbook, name) is None or not (name in named or told):
            del book.verdicts[name]
    for name in named:
        if name not in book.verdicts:
            book.verdicts[name] = Verdict(since_ns=state.at_ns)


def _named(runbook: Runbook) -> dict[str, None]:
    """Return all dependencies that stand in the runbook without `*`."""
    names = [term.name for term in runbook.dependency]
    names += [name for term in runbook.dependency for name in term.part_of]
    names += [rule.when for rule in runbook.rule]
    for ladder in (runbook.market, runbook.withdrawal, runbook.other):
        names += [need for need in ladder.needs if "{" not in need]
    return {name: None for name in names if is_literal(name)}


def terms_of(runbook: Runbook, dependency: str) -> DependencyTerms | None:
    """Return the first terms that match; None if the runbook does not know the dependency."""
    for terms in runbook.dependency:
        if matches(terms.name, dependency):
            return terms
    return None


def ladder_name(kind: ServiceKind) -> str:
    match kind:
        case ServiceKind.MARKET:
            return "market"
        case ServiceKind.WITHDRAWAL:
            return "withdrawal"
        case ServiceKind.DEPOSIT | ServiceKind.TRANSFERS | ServiceKind.SIGN_IN:
            return "other"


def ladder_of(runbook: Runbook, kind: ServiceKind) -> Ladder:
    """Return the way back of services of this kind."""
    match kind:
        case ServiceKind.MARKET:
            return runbook.market
        case ServiceKind.WITHDRAWAL:
            return runbook.withdrawal
        case ServiceKind.DEPOSIT | ServiceKind.TRANSFERS | ServiceKind.SIGN_IN:
            return runbook.other


def needs_of(runbook: Runbook, service: str) -> list[str]:
    """Return the patterns of dependencies that a service's way back needs.

    `{asset}` and `{network}` are filled in; what needs them is left out for what has neither.
    """
    kind = service_kind(service)
    parts = service.split("/")
    needs = []
    for need in ladder_of(runbook, kind).needs:
        if "{" not in need:
            needs.append(need)
        elif kind in {ServiceKind.WITHDRAWAL, ServiceKind.DEPOSIT}:
            needs.append(need.replace("{asset}", parts[1]).replace("{network}", parts[2]))
    return needs
