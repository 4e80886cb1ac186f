"""What a runbook must be to be adopted.  The rule: no runbook can leave a service without a way
back, or wait for what never comes.

The first thing wrong is told, with its place.  Order: numbers, names, dependencies, rules, ladders.
"""

from seawall.core.control import ladder_checks
from seawall.core.control.patterns import is_literal, kinds, matches, overlap
from seawall.core.control.runbook_terms import WrongTermError, check_numbers
from seawall.core.control.ways import POSTURES
from seawall.model import limits
from seawall.model.posture import Posture, ServiceKind
from seawall.model.runbook import DependencyTerms, Move, Rule, Runbook
from seawall.model.watch_facts import Health

__all__ = ["WrongTermError", "check_runbook"]

VERDICTS = (Health.DEGRADED, Health.DOWN, Health.UNKNOWN)
"""What a rule may wait for.  No verdict is ever maintenance: feeds tell of it, probes do not."""


def check_runbook(runbook: Runbook, services: tuple[str, ...]) -> None:
    """Raise WrongTermError for the first thing that is wrong."""
    if not 1 <= len(runbook.version) <= limits.RUNBOOK_NAME_CHARS:
        raise WrongTermError(("version",), "version: a name, not too long")
    check_numbers(runbook)
    _check_dependencies(runbook)
    _check_rules(runbook, services)
    ladder_checks.check_ladders(runbook)


def _check_dependencies(runbook: Runbook) -> None:
    terms = runbook.dependency
    if len(terms) > limits.RUNBOOK_DEPENDENCIES:
        raise WrongTermError(("dependency",), f"more than {limits.RUNBOOK_DEPENDENCIES}")
    seen: dict[str, int] = {}
    for at, term in enumerate(terms):
        _check_pattern(("dependency", at, "name"), term.name)
        if term.name in seen:
            raise WrongTermError(("dependency", at, "name"), f"{term.name} stands there twice")
        for before in terms[:at]:
            if matches(before.name, term.name):
                message = f"{term.name} never counts: {before.name} stands before it"
                raise WrongTermError(("dependency", at, "name"), message)
        seen[term.name] = at
    for at, term in enumerate(terms):
        for name in term.part_of:
            _check_pattern(("dependency", at, "part_of"), name)
            if not _meant(terms, name):
                message = f"part_of: no dependency is {name}"
                raise WrongTermError(("dependency", at, "part_of"), message)
    _refuse_circles(terms)


def _check_pattern(path: tuple[str | int, ...], name: str) -> None:
    plain = name.replace("*", "")
    if not name or len(name) > limits.DEPENDENCY_CHARS or not is_name(plain):
        raise WrongTermError(path, f"{name!r} is no name: letters, digits and ./_:@- with *")


def is_name(text: str) -> bool:
    return text.isascii() and all(letter.isalnum() or letter in "./_:@-" for letter in text)


def _meant(terms: tuple[DependencyTerms, ...], name: str) -> list[int]:
    """Return which terms count for what the name or pattern means."""
    if is_literal(name):
        return [at for at, term in enumerate(terms) if matches(term.name, name)][:1]
    return [at for at, term in enumerate(terms) if overlap(term.name, name)]


def _refuse_circles(terms: tuple[DependencyTerms, ...]) -> None:
    edges = [[inner for name in term.part_of for inner in _meant(terms, name)] for term in terms]
    done = [False] * len(terms)
    for start in range(len(terms)):
        trail = [start]
        turns = [0]
        while trail:
            here = trail[-1]
            if turns[-1] == len(edges[here]) or done[here]:
                done[here] = True
                trail.pop()
                turns.pop()
                continue
            there = edges[here][turns[-1]]
            turns[-1] += 1
            if there in trail:
                circle = [*trail[trail.index(there) :], there]
                way = " -> ".join(terms[at].name for at in circle)
                raise WrongTermError(("dependency", there, "part_of"), f"part_of in circles: {way}")
            trail.append(there)
            turns.append(0)


def _check_rules(runbook: Runbook, services: tuple[str, ...]) -> None:
    if len(runbook.rule) > limits.RUNBOOK_RULES:
        raise WrongTermError(("rule",), f"more than {limits.RUNBOOK_RULES}")
    seen: dict[str, int] = {}
    for at, rule in enumerate(runbook.rule):
        _check_rule(runbook, at, rule)
        if rule.name in seen:
            raise WrongTermError(("rule", at, "name"), f"{rule.name!r} stands there twice")
        seen[rule.name] = at
        for number, move in enumerate(rule.move):
            _check_move(runbook, ("rule", at, "move", number), move, services)


def _check_rule(runbook: Runbook, at: int, rule: Rule) -> None:
    if not rule.name.strip() or len(rule.name) > limits.RUNBOOK_NAME_CHARS:
        raise WrongTermError(("rule", at, "name"), "name: a name, not too long")
    _check_pattern(("rule", at, "when"), rule.when)
    if not _meant(runbook.dependency, rule.when):
        raise WrongTermError(("rule", at, "when"), f"no dependency is {rule.when}")
    if not rule.states or len(dict.fromkeys(rule.states)) != len(rule.states):
        raise WrongTermError(("rule", at, "states"), "states: at least one, each once")
    for state in rule.states:
        if state not in VERDICTS:
            allowed = ", ".join(VERDICTS)
            message = f"states: no rule waits for {state.value}; only {allowed}"
            raise WrongTermError(("rule", at, "states"), message)
    kind = rule.kind
    if not (kind.isascii() and kind.replace("_", "a").isalnum()) or len(kind) > 64:
        raise WrongTermError(("rule", at, "kind"), f"kind: {kind!r} is no template's name")
    if len(rule.move) > limits.RUNBOOK_RULES:
        raise WrongTermError(("rule", at, "move"), f"more than {limits.RUNBOOK_RULES}")


def _check_move(
    runbook: Runbook, path: tuple[str | int, ...], move: Move, services: tuple[str, ...]
) -> None:
    meant = kinds(move.services)
    if not meant or len(move.services) > limits.SERVICE_CHARS:
        message = f"no service can be {move.services}: market/*, withdrawal/*, deposit/*, ..."
        raise WrongTermError((*path, "services"), message)
    if is_literal(move.services) and services and move.services not in services:
        raise WrongTermError((*path, "services"), f"unknown service {move.services}")
    if move.to is Posture.OPEN:
        raise WrongTermError((*path, "to"), "to: rules move towards less; the way back is a ladder")
    for kind in meant:
        if move.to not in POSTURES[kind]:
            message = f"to: {kind.value} is never {move.to.value}"
            raise WrongTermError((*path, "to"), message)
        if move.to is Posture.LIMITED:
            message = "to: limits are a ladder's; a rule pauses, and the ladder leads to limited"
            raise WrongTermError((*path, "to"), message)
        ladder = {ServiceKind.MARKET: runbook.market, ServiceKind.WITHDRAWAL: runbook.withdrawal}
        if not ladder.get(kind, runbook.other).stage:
            message = f"no ladder leads {kind.value} back"
            raise WrongTermError((*path, "services"), message)
