"""Sentences with facts in them.  The rule: a fact never changes the sentence around it.

In HTML a fact stands in `<bdi>` and is escaped; in plain text the isolates of Unicode keep a
Latin name in an Arabic sentence from turning it around.
"""

import re
from collections.abc import Mapping
from typing import Final

from markupsafe import Markup, escape
from msgspec import Struct

ISOLATE: Final = "\u2068"
END: Final = "\u2069"
_PLACE: Final = re.compile(r"\{(\w+)\}")
_UNFIT: Final = re.compile(
    # Controls, the marks that turn text around, and what XML cannot hold.
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
_UNFIT_HIGH: Final = frozenset(
    chr(plane * 0x10000 + last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF)
)


def clean(text: str) -> str:
    """Return the text without what no page or feed may hold."""
    found = _UNFIT.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if any(each in _UNFIT_HIGH for each in found):
        found = "".join(each for each in found if each not in _UNFIT_HIGH)
    return found


class Part(Struct, frozen=True, kw_only=True):
    """A piece of a sentence: our words, a fact, or a fact that is HTML already."""

    text: str
    is_fact: bool = False
    html: str = ""


class Text:
    """A sentence, for HTML and for plain text."""

    def __init__(self, *parts: Part, language: str = "", right_to_left: bool = False) -> None:
        self.parts = parts
        self.language = language
        """Set where it is not the page's."""
        self.right_to_left = right_to_left

    def plain(self) -> str:
        """Return it without markup; isolated where it runs from right to left."""
        if not self.right_to_left:
            return "".join(part.text for part in self.parts)
        return "".join(
            ISOLATE + part.text + END if part.is_fact else part.text for part in self.parts
        )

    def __html__(self) -> str:
        found = "".join(_html(part) for part in self.parts)
        if self.language:
            direction = "rtl" if self.language == "ar" else "ltr"
            return f'<span lang="{self.language}" dir="{direction}">{found}</span>'
        return found

    def __bool__(self) -> bool:
        return any(part.text for part in self.parts)


def fill(template: str, facts: Mapping[str, "str | Text | Part"], *, right_to_left: bool) -> Text:
    """Return the template with its places filled; KeyError where a fact is missing."""
    parts: list[Part] = []
    for index, piece in enumerate(_PLACE.split(template)):
        if index % 2 == 0:
            if piece:
                parts.append(Part(text=piece))
            continue
        fact = facts[piece]
        if isinstance(fact, Part):
            parts.append(fact)
        elif isinstance(fact, Text):
            parts.append(Part(text=fact.plain(), is_fact=True, html=fact.__html__()))
        else:
            parts.append(Part(text=clean(fact), is_fact=True))
    return Text(*parts, right_to_left=right_to_left)


def places(template: str) -> list[str]:
    return _PLACE.findall(template)


def _html(part: Part) -> str:
    if not part.is_fact:
        return str(escape(part.text))
    inner = part.html or str(escape(part.text))
    return inner if inner.startswith("<time") else f"<bdi>{inner}</bdi>"


def lines(text: str) -> Markup:
    """Return what a person wrote, with its own lines."""
    return Markup("<br>").join(clean(text).strip().split("\n"))
