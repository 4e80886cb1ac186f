"""Conditions in three values.  The rule: "no" needs a fact, as "yes" does; else it is unknown."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct


class Met(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Condition(Struct, frozen=True, kw_only=True):
    """One sentence of a rule, and whether it holds."""

    name: str
    source: str
    """The article."""
    text: str
    met: Met
    value: str = ""
    """What was stated."""
    missing: tuple[str, ...] = ()
    """Facts that are not stated and would decide it."""


class Criterion(Struct, frozen=True, kw_only=True):
    """Several conditions, one of which is enough."""

    name: str
    source: str
    title: str
    met: Met
    conditions: tuple[Condition, ...]


def any_of(all_met: Iterable[Met]) -> Met:
    found = list(all_met)
    if Met.YES in found:
        return Met.YES
    return Met.UNKNOWN if Met.UNKNOWN in found else Met.NO


def all_of(all_met: Iterable[Met]) -> Met:
    found = list(all_met)
    if Met.NO in found:
        return Met.NO
    return Met.UNKNOWN if Met.UNKNOWN in found else Met.YES


def known(fact: bool | None) -> Met:
    if fact is None:
        return Met.UNKNOWN
    return Met.YES if fact else Met.NO


def stated(name: str, source: str, text: str, key: str, fact: bool | None) -> Condition:
    """Return a condition that one fact decides."""
    met = known(fact)
    return Condition(
        name=name,
        source=source,
        text=text,
        met=met,
        value="" if fact is None else ("yes" if fact else "no"),
        missing=(key,) if met is Met.UNKNOWN else (),
    )


def criterion(name: str, source: str, title: str, *conditions: Condition) -> Criterion:
    met = any_of(each.met for each in conditions)
    return Criterion(name=name, source=source, title=title, met=met, conditions=conditions)


def missing_of(conditions: Iterable[Condition]) -> tuple[str, ...]:
    """Return the facts that conditions lack, each once."""
    return tuple(dict.fromkeys(key for each in conditions for key in each.missing))
