"""One answer of a feed, and what an adapter makes of it.  The rule: bytes in, facts out, no I/O.

An adapter fills a `Draft`: facts that it understood, doubts about the rest.  It never says that
all is well; that follows from a draft without doubts and without lasting trouble.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from seawall.model.watch_facts import Doubt, Fact, Health, Reading, Uncertain, conclude

SECOND_NS: Final = 1_000_000_000
BYTES_MOST: Final = 16 << 20
"""Google Cloud's archive of incidents has some megabytes."""
FACTS_MOST: Final = 5_000
DOUBTS_MOST: Final = 20
TEXT_MOST: Final = 300
EARLIEST_NS: Final = 946_684_800 * SECOND_NS
"""The year 2000: an earlier time is some other number."""
_SPACE: Final = re.compile(r"\s+")
T = TypeVar("T")


class Answer(Struct, frozen=True, kw_only=True):
    """What came over the wire, complete."""

    at_ns: int
    body: bytes
    headers: Mapping[str, str] = {}
    """By lower-case name."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


class Source(Struct, frozen=True, kw_only=True):
    """Which feed of whom."""

    feed: str
    party: str
    url: str = ""


class DoubtError(Exception):
    """The answer as a whole is not to be believed."""

    def __init__(self, doubt: Doubt, detail: str) -> None:
        super().__init__(detail)
        self.doubt = doubt


class Draft:
    """A reading under way."""

    def __init__(self, source: Source, answer: Answer) -> None:
        self.source = source
        self.answer = answer
        self.told_ns: int | None = None
        self._facts: list[Fact] = []
        self._doubts: list[Uncertain] = []
        self._payload = answer.sha256

    def doubt(self, doubt: Doubt, detail: str) -> None:
        if len(self._doubts) < DOUBTS_MOST:
            self._doubts.append(Uncertain(doubt=doubt, detail=plain(detail)))

    def word(self, words: Mapping[str, Health], word: str, where: str) -> Health:
        """Return what a source's word means; one that is not known is doubted."""
        health = words.get(word)
        if health is None:
            self.doubt(Doubt.UNKNOWN_WORD, f"{where}: {word!r}")
            return Health.UNKNOWN
        return health

    def told(self, at_ns: int | None) -> None:
        """Take a time that the page gives for itself; the newest counts."""
        if at_ns is not None and (self.told_ns is None or at_ns > self.told_ns):
            self.told_ns = at_ns

    def add(
        self,
        *,
        incident_id: str,
        title: str,
        health: Health,
        word: str = "",
        services: tuple[str, ...] = (),
        regions: tuple[str, ...] = (),
        zones: tuple[str, ...] = (),
        began_ns: int | None = None,
        updated_ns: int | None = None,
        ended_ns: int | None = None,
        url: str = "",
    ) -> None:
        if len(self._facts) >= FACTS_MOST:
            raise DoubtError(Doubt.TOO_LARGE, f"more than {FACTS_MOST:,} facts")
        if began_ns is not None and ended_ns is not None and ended_ns < began_ns:
            self.doubt(Doubt.CONTRADICTION, f"{incident_id} ended before it began")
            health, ended_ns = Health.UNKNOWN, None
        if ended_ns is not None and ended_ns <= self.answer.at_ns:
            health = Health.OK
        elif ended_ns is None and health is Health.OK:
            # Nobody says when it ended, yet it is said to be over: over by now.
            ended_ns = updated_ns if updated_ns is not None else self.answer.at_ns
        self._facts.append(
            Fact(
                feed=self.source.feed,
                party=self.source.party,
                incident_id=plain(incident_id),
                title=plain(title),
                health=health,
                word=plain(word),
                services=tuple(plain(each) for each in services),
                regions=tuple(plain(each) for each in regions),
                zones=tuple(plain(each) for each in zones),
                began_ns=began_ns,
                updated_ns=updated_ns,
                ended_ns=ended_ns,
                url=url if url.startswith(("https://", "http://")) else self.source.url,
                payload=self._payload,
            )
        )

    @contextmanager
    def record(self, what: str) -> Iterator[None]:
        """Keep one record's fault from the other records."""
        try:
            yield
        except DoubtError as error:
            if error.doubt is Doubt.TOO_LARGE:
                raise
            self.doubt(error.doubt, f"{what}: {error}")
        except (ValueError, OverflowError) as error:
            self.doubt(Doubt.MALFORMED, f"{what}: {error}")

    def finish(self) -> Reading:
        return conclude(
            feed=self.source.feed,
            party=self.source.party,
            at_ns=self.answer.at_ns,
            facts=tuple(self._facts),
            doubts=tuple(self._doubts),
            told_ns=self.told_ns,
            payload=self._payload,
        )


Adapter = Callable[[Draft], None]


def read(adapter: Adapter, source: Source, answer: Answer) -> Reading:
    """Return what the adapter makes of the answer; whatever goes wrong is a doubt."""
    draft = Draft(source, answer)
    try:
        adapter(draft)
    except DoubtError as error:
        draft.doubt(error.doubt, str(error))
    except msgspec.DecodeError as error:
        draft.doubt(Doubt.MALFORMED, str(error))
    except UnicodeError as error:
        draft.doubt(Doubt.WRONG_ENCODING, str(error))
    except Exception as error:  # noqa: BLE001 - an adapter's own fault must not stop the others
        draft.doubt(Doubt.BROKEN, f"{type(error).__name__}: {error}")
    return draft.finish()


def failed(source: Source, at_ns: int, doubt: Doubt, detail: str) -> Reading:
    """Return the reading of a feed from which nothing came."""
    return conclude(
        feed=source.feed,
        party=source.party,
        at_ns=at_ns,
        facts=(),
        doubts=(Uncertain(doubt=doubt, detail=plain(detail)),),
    )


def json(draft: Draft, kind: type[T]) -> T:
    """Decode a body that must be JSON in UTF-8, without a byte order mark."""
    draft.answer.body.decode("utf-8")
    return msgspec.json.decode(draft.answer.body, type=kind)


def each(draft: Draft, records: list[msgspec.Raw], kind: type[T], what: str) -> list[T]:
    """Decode record by record; one that cannot be read is doubted, the others stand."""
    found: list[T] = []
    for number, record in enumerate(records):
        try:
            found.append(msgspec.json.decode(record, type=kind))
        except msgspec.DecodeError as error:
            draft.doubt(Doubt.MALFORMED, f"{what} {number + 1}: {error}")
    return found


def plain(text: str) -> str:
    """Return a stranger's text as one line of bounded length, without control characters."""
    line = _SPACE.sub(" ", "".join(c if c.isprintable() else " " for c in text)).strip()
    return line if len(line) <= TEXT_MOST else line[: TEXT_MOST - 1] + "…"


def from_seconds(value: str | float) -> int:
    """Return nanoseconds of seconds since 1970, which may stand in a text."""
    return _sane(int(value) * SECOND_NS, value)


def from_milliseconds(value: str | int) -> int:
    """Return nanoseconds of milliseconds since 1970."""
    return _sane(int(value) * 1_000_000, value)


def from_iso(text: str) -> int:
    """Return nanoseconds of a time like 2025-10-20T06:48:00.123Z."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise DoubtError(Doubt.MALFORMED, f"{text[:40]!r} is no time") from None
    if at.tzinfo is None:
        raise DoubtError(Doubt.MALFORMED, f"{text[:40]!r} has no time zone")
    return _sane(_nanoseconds(at), text)


def from_http(text: str) -> int | None:
    """Return nanoseconds of an HTTP date; None if it is none."""
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return _nanoseconds(at if at.tzinfo is not None else at.replace(tzinfo=UTC))


def optional(convert: Callable[[Any], int], value: object) -> int | None:
    """Return the time, or None of nothing: a null, an empty text, a zero."""
    return convert(value) if value not in {None, "", 0, "0"} else None


def _nanoseconds(at: datetime) -> int:
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1) * 1000


def _sane(at_ns: int, told: object) -> int:
    if not EARLIEST_NS <= at_ns <= EARLIEST_NS * 4:
        raise DoubtError(Doubt.MALFORMED, f"{str(told)[:40]!r} is no time of ours")
    return at_ns
