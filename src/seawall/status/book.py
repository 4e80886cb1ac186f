"""The shape of a language's book.  The rule: every book has the same keys with the same places.

`{name}` in a text is a place for a fact.  A kind has one or more texts, the richest first: the
first whose facts are all known is said.
"""

from collections.abc import Mapping

from msgspec import Struct

Texts = Mapping[str, tuple[str, ...]]


class Book(Struct, frozen=True, kw_only=True):
    """All that the site says in one language."""

    locale: str
    direction: str
    name: str
    """Of the language, in itself."""
    phrases: Mapping[str, str]
    titles: Texts
    """By an incident's kind."""
    updates: Texts
    """By an update's kind."""
    services: Mapping[str, str]
    groups: Mapping[str, str]
    postures: Mapping[str, str]
    closures: Mapping[str, str]
    """Postures of what is paused or open, where a market's word would be wrong."""
    stages: Mapping[str, str]
    gates: Mapping[str, str]
    plans: Mapping[str, str]
    phases: Mapping[str, str]
    severities: Mapping[str, str]
    levels: Mapping[str, str]
    headlines: Mapping[str, str]
    maintenances: Mapping[str, str]
    healths: Mapping[str, str]
    roles: Mapping[str, str]
    sources: Mapping[str, str]
    """Who told of a likely cause: kinds of signals."""
    networks: Mapping[str, str]
    units: Mapping[str, Mapping[str, str]]
    """Of durations, by the plural's form."""
    unit_join: str
    dependencies: Mapping[str, str]
    """By the first part of a dependency's name; `{name}` is the rest."""
