"""What the site says, in one language.  The rule: a kind nobody knows is shown by its own name.

The control cell names what happened by a kind and its facts; here they become sentences.  What a
person wrote stands beside them, in the language in which it was written.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.lists import format_list
from babel.numbers import format_decimal
from markupsafe import Markup, escape

from seawall.model.posture import ServiceKind, service_kind
from seawall.model.status_document import IncidentLine, MaintenanceLine, UpdateLine
from seawall.status.book import Book, Texts
from seawall.status.book_ar import BOOK as ARABIC
from seawall.status.book_en import BOOK as ENGLISH
from seawall.status.moments import iso, moment
from seawall.status.text import Part, Text, clean, fill, places

LANGUAGES: Final = ("en", "ar")
BOOKS: Final = {"en": ENGLISH, "ar": ARABIC}
DIGITS: Final = "latn"
"""Western digits in Arabic too: amounts, times and ids are compared with what wallets, explorers
and the API show, and those know no others."""
_UNITS: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_LONGEST_FACT: Final = 300


class Words:
    """One language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.book: Book = BOOKS[language]
        self.locale = Locale.parse(self.book.locale)
        self.right_to_left = self.book.direction == "rtl"

    # Sentences

    def __call__(self, key: str, **facts: str | int | Text | Part) -> Text:
        """Return a phrase with its facts."""
        told = {name: self.number(v) if isinstance(v, int) else v for name, v in facts.items()}
        return fill(self.book.phrases[key], told, right_to_left=self.right_to_left)

    def title(self, line: IncidentLine) -> Text:
        """Return an incident's title: a person's, or its kind's."""
        written = self._written(line.title_en, line.title_ar)
        if written:
            return written
        facts = self._facts(line.facts, line.services)
        if "dependency" not in facts and len(line.dependencies) == 1:
            facts["dependency"] = self.dependency(line.dependencies[0])
        return self._said(self.book.titles, line.kind, facts, line.facts)

    def update(self, line: UpdateLine) -> Text:
        """Return what an update says by template; empty for a person's words alone."""
        return self._said(
            self.book.updates, line.kind, self._facts(line.facts, line.services), line.facts
        )

    def written(self, line: UpdateLine) -> Text:
        """Return what a person wrote in an update; empty if nobody did."""
        return self._written(line.words_en, line.words_ar)

    def foreign(self, text: Text) -> bool:
        return bool(text.language)

    def maintenance_title(self, line: MaintenanceLine) -> Text:
        written = self._written(line.title_en, line.title_ar)
        return written or fill(self.book.titles["maintenance"][0], {}, right_to_left=False)

    def _written(self, english: str, arabic: str) -> Text:
        """Return the text in this language, or else in the other, marked as such."""
        texts = {"en": clean(english).strip(), "ar": clean(arabic).strip()}
        own = texts.pop(self.language)
        if own:
            return Text(Part(text=own))
        for language, text in texts.items():
            if text:
                return Text(Part(text=text), language=language)
        return Text()

    def _said(
        self, texts: Texts, kind: str, facts: Mapping[str, Text], raw: Mapping[str, str]
    ) -> Text:
        for template in texts.get(kind, ()):
            if all(name in facts for name in places(template)):
                told = dict(facts)
                for name in places(template)[:1]:
                    if template.startswith(f"{{{name}}}"):
                        told[name] = _capital(told[name])
                return fill(template, told, right_to_left=self.right_to_left)
        name = clean(kind).replace("_", " ").strip() or "?"
        if not raw:
            return self("unknown_kind", kind=name)
        listed = ", ".join(
            f"{clean(key)}: {_short(clean(value))}" for key, value in sorted(raw.items())
        )
        return self("unknown_kind_facts", kind=name, facts=listed)

    # Facts

    def _facts(self, raw: Mapping[str, str], services: Iterable[str]) -> dict[str, Text]:
        """Return the facts in words; what is empty is no fact."""
        found = {key: self._fact(key, value) for key, value in raw.items() if value}
        found = {
            (key.removesuffix("_ns").removesuffix("_s")): text for key, text in found.items()
        } | found
        named = tuple(services)
        if named:
            found.setdefault("services", self.list([self.service(each) for each in named]))
            if len(named) == 1:
                found.setdefault("service", self.service(named[0]))
        return found

    def _fact(self, key: str, value: str) -> Text:
        number = int(value) if value.isascii() and value.isdigit() and len(value) < 30 else None
        if number is not None and key.endswith("_ns"):
            return self._whole(self.plain_time(number))
        if number is not None and key.endswith("_s"):
            return self._whole(self.duration(number))
        if key == "service":
            return self.service(value)
        if key == "services":
            return self.list([self.service(each.strip()) for each in value.split(",")])
        if key == "dependency":
            return self.dependency(value)
        table = self._table(key)
        return self._whole(table.get(value, _short(value)))

    def _table(self, key: str) -> Mapping[str, str]:
        tables: dict[str, Mapping[str, str]] = {
            "posture": self.book.postures,
            "previous": {**self.book.stages, **self.book.postures, **self.book.healths},
            "stage": self.book.stages,
            "previous_stage": self.book.stages,
            "back_to": self.book.stages,
            "gate": self.book.gates,
            "next_gate": self.book.gates,
            "source": self.book.sources,
            "health": self.book.healths,
            "phase": self.book.phases,
            "severity": self.book.severities,
            "role": self.book.roles,
            "network": self.book.networks,
        }
        return tables.get(key, {})

    def _whole(self, text: str) -> Text:
        return Text(Part(text=clean(text)), right_to_left=self.right_to_left)

    # Names

    def service(self, name: str) -> Text:
        """Return a service as customers know it."""
        try:
            kind = service_kind(name)
        except ValueError:
            return Text(Part(text=clean(name), is_fact=True), right_to_left=self.right_to_left)
        parts = name.split("/")[1:]
        facts: dict[str, str | Text | Part] = {}
        if kind is ServiceKind.MARKET:
            facts = {"symbol": parts[0]}
        elif parts:
            facts = {"asset": parts[0], "network": self.network(parts[1])}
        return fill(self.book.services[kind], facts, right_to_left=self.right_to_left)

    def group(self, name: str) -> str:
        return self.book.groups.get(name, self.book.groups["other"])

    def network(self, code: str) -> str:
        return self.book.networks.get(code, clean(code))

    def dependency(self, name: str) -> Text:
        """Return a dependency in words; by its own name where there are none."""
        head, _, rest = name.partition("/")
        template = self.book.dependencies.get(head)
        if template is None or not rest:
            return Text(Part(text=clean(name), is_fact=True), right_to_left=self.right_to_left)
        if head in {"rpc", "chain"}:
            rest = self.network(rest.partition("/")[0])
        return fill(template, {"name": rest}, right_to_left=self.right_to_left)

    def posture(self, posture: str, service: str = "market/") -> str:
        table = self.book.postures if service.startswith("market/") else self.book.closures
        return table.get(posture) or self.book.postures.get(posture, clean(posture))

    def stage(self, stage: str) -> str:
        return self.book.stages.get(stage, clean(stage))

    def gate(self, gate: str) -> str:
        return self.book.gates.get(gate, clean(gate).replace("_", " "))

    def list(self, texts: Iterable[Text]) -> Text:
        """Return several things as one enumeration."""
        given = list(texts)
        plain = format_list([text.plain() for text in given], locale=self.locale)
        html = format_list([text.__html__() for text in given], locale=self.locale)
        return Text(Part(text=plain, is_fact=True, html=html or " "))

    # Numbers and times

    def number(self, value: int | Decimal) -> str:
        # Babel groups by thousands and keeps every digit of a Decimal.
        text: str = format_decimal(
            value, locale=self.locale, numbering_system=DIGITS, decimal_quantization=False
        )
        return text

    def amount(self, text: str) -> str:
        """Return a decimal number as this language writes it; any other text as it stands."""
        try:
            value = Decimal(text)
        except InvalidOperation:
            return clean(text)
        if not value.is_finite() or abs(value.adjusted()) > 60:
            return clean(text)
        return self.number(value)

    def plain_time(self, at_ns: int) -> str:
        return self._time(moment(at_ns))

    def _time(self, at: datetime) -> str:
        pattern = "d MMMM y، HH:mm:ss" if self.right_to_left else "d MMMM y, HH:mm:ss"
        text: str = format_datetime(at, pattern, tzinfo=UTC, locale=self.locale)
        return f"{text} UTC"

    def time(self, at_ns: int) -> Part:
        """Return a moment as a fact, machine-readable in HTML."""
        text = self.plain_time(at_ns)
        html = f'<time datetime="{iso(at_ns)}">{escape(text)}</time>'
        return Part(text=text, is_fact=True, html=html)

    def time_html(self, at_ns: int) -> Markup:
        return Markup(self.time(at_ns).html)  # noqa: S704 - a date and its escaped text

    def day(self, day: date) -> Part:
        text: str = format_date(day, "d MMMM y", locale=self.locale)
        html = f'<time datetime="{day.isoformat()}">{escape(text)}</time>'
        return Part(text=text, is_fact=True, html=html)

    def duration(self, seconds: int) -> str:
        """Return a duration in its two largest units."""
        rest = max(seconds, 0)
        parts: list[str] = []
        for name, size in _UNITS:
            count, rest = divmod(rest, size)
            if count or (name == "second" and not parts):
                forms = self.book.units[name]
                form = forms.get(self.locale.plural_form(count), forms["other"])
                parts.append(form.replace("{n}", self.number(count)))
            elif parts:
                # Two hours and three seconds are two hours.
                break
            if len(parts) == 2:
                break
        return self.book.unit_join.join(parts)


def _capital(text: Text) -> Text:
    """Return the text as a sentence begins; a name that is somebody's own stays as it is."""
    first, *rest = text.parts or (Part(text=""),)
    if first.is_fact or first.html:
        return text
    begun = Part(text=first.text[:1].upper() + first.text[1:])
    return Text(begun, *rest, right_to_left=text.right_to_left)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_FACT else text[: _LONGEST_FACT - 1] + "…"
