"""The site as a function of its document.  The rule: any document makes a whole site."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import feedparser
import pytest
from hypothesis import given, settings
from msgspec import structs
from tests.status.documents import documents
from tests.status.sample import ETH, MINUTE, NOW, SECOND, calm, outage, service, update

from seawall.model.posture import IncidentPhase, Posture, Severity
from seawall.model.status_document import DayLine, IncidentLine, StatementLine, StatusDocument
from seawall.status import levels, statement
from seawall.status.book import Book
from seawall.status.site import MANIFEST, POLICY, SiteSettings, build
from seawall.status.text import clean, places
from seawall.status.words import BOOKS, Words

URL = "https://status.example"
TOLD = SiteSettings(url=URL)
TAGS = {
    "html", "head", "meta", "title", "link", "script", "body", "a", "header", "div", "svg", "path",
    "rect", "bdi", "nav", "ul", "li", "main", "h1", "h2", "h3", "h4", "p", "section", "article",
    "dl", "dt", "dd", "span", "strong", "time", "ol", "details", "summary", "pre", "code",
    "footer", "br",
}  # fmt: skip
VOID = {"meta", "link", "br"}


class Reader(HTMLParser):
    """Reads a page, and notes what no page of ours holds."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag not in TAGS:
            self.wrong.append(f"<{tag}>")
        if tag == "script" and not re.fullmatch(
            r"[./]*assets/status-\w+\.js", told.get("src") or ""
        ):
            self.wrong.append(f"a script: {told}")
        self.wrong += [
            f"{name} at {tag}" for name in told if name.startswith("on") or name == "style"
        ]
        self.links += [told[name] or "" for name in ("href", "src") if name in told]
        self.ids += [told["id"] or ""] if "id" in told else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes another")

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: bytes) -> Reader:
    reader = Reader()
    reader.feed(page.decode("utf-8"))
    reader.close()
    return reader


def text_of(page: bytes) -> str:
    return " ".join(read(page).text.split())


@settings(max_examples=40)
@given(documents())
def test_any_document_makes_a_whole_and_harmless_site(document: StatusDocument) -> None:
    now_ns = max(min(document.at_ns, 2**62), 0) + 5 * SECOND
    site = build(document, now_ns, TOLD)
    for path, content in site.items():
        assert ".." not in path
        if path.endswith(".html"):
            page = read(content)
            assert not page.wrong, f"{path}: {page.wrong}"
            assert not page.open, f"{path} leaves {page.open} open"
            assert all(re.match(r"[\w./#-]+$", link) for link in page.links), page.links
            assert f'content="{POLICY}"'.replace("'", "&#39;").encode() in content
        elif path.endswith((".atom", ".rss")):
            ET.fromstring(content)  # noqa: S314 - our own feed, a moment old
        elif path.endswith(".json") and not path.startswith("statement/"):
            json.loads(content)
    assert list(site)[-1] == MANIFEST
    assert list(site)[-2] == "ar/index.html"


@settings(max_examples=5)
@given(documents())
def test_the_same_document_gives_the_same_bytes(document: StatusDocument) -> None:
    assert build(document, 1, TOLD) == build(document, 1, TOLD)


def test_links_lead_to_files_of_the_site() -> None:
    site = build(outage(), NOW, TOLD)
    for path, content in site.items():
        for link in read(content).links if path.endswith(".html") else ():
            target = link.partition("#")[0]
            place = (Path("/") / Path(path).parent / target).resolve().relative_to("/")
            assert not target or str(place) in site, f"{path} links to {link}"


def test_ids_are_unique_on_each_page() -> None:
    for path, content in build(outage(), NOW, TOLD).items():
        if path.endswith("index.html"):
            ids = read(content).ids
            assert len(ids) == len(set(ids)), path


def test_the_age_is_told_without_a_script() -> None:
    page = text_of(build(calm(), NOW + 65 * SECOND, TOLD)["index.html"])
    assert "stood at 7 May 2026, 16:50:00 UTC" in page
    assert "that was 1 minute 5 seconds ago" in page
    assert "more than 2 minutes ago, this page is out of date" in page
    assert "All services work" in page


def test_the_site_has_the_name_that_customers_know() -> None:
    site = build(calm(), NOW, SiteSettings(name="Harbour <Exchange>"))
    assert "Harbour <Exchange>: status" in text_of(site["index.html"])
    assert json.loads(site["site.json"])["exchange"] == "Harbour <Exchange>"


def test_old_data_is_called_out_of_date_and_never_well() -> None:
    site = build(calm(), NOW + 121 * SECOND, TOLD)
    page = text_of(site["index.html"])
    assert "Nobody can say how things stand now" in page
    assert "All services work" not in page
    assert b'role="alert">' in site["index.html"], "the notice is not hidden"
    status = json.loads(site["api/v2/status.json"])["status"]
    assert status["indicator"] != "none"
    assert status["description"] == "Status unknown: the newest data is of 7 May 2026, 16:50:00 UTC"
    fresh = build(calm(), NOW, TOLD)
    assert b'role="alert" hidden>' in fresh["index.html"]
    assert json.loads(fresh["api/v2/status.json"])["status"]["indicator"] == "none"


def test_a_promise_that_was_not_kept_is_said() -> None:
    page = text_of(build(outage(), NOW, TOLD)["incidents/8.html"])
    assert "was promised for 7 May 2026, 16:49:00 UTC and has not come" in page
    kept = text_of(build(outage(), NOW, TOLD)["incidents/7.html"])
    assert "One promised update of this incident came late" in kept


def test_what_is_over_is_the_same_page_whatever_the_hour() -> None:
    first = build(outage(), NOW, TOLD)
    later = structs.replace(outage(), at_ns=NOW + MINUTE, sequence=50_000)
    second = build(later, NOW + MINUTE + SECOND, TOLD)
    for path in ("incidents/6.html", "ar/incidents/5.html", "history.atom", "history.rss"):
        assert first[path] == second[path]
    assert first["index.html"] != second["index.html"]


def test_words_of_people_stand_in_their_own_language() -> None:
    site = build(outage(), NOW, TOLD)
    english = "One of our two Litecoin nodes is on another fork."
    assert english in text_of(site["incidents/8.html"])
    arabic = site["ar/incidents/8.html"].decode()
    assert f'<span lang="en" dir="ltr">{english}</span>' in arabic
    assert "انقطعت الكهرباء" in text_of(site["ar/incidents/7.html"])


def test_unknown_kinds_are_told_by_their_name_and_facts() -> None:
    line = IncidentLine(
        number=1, severity=Severity.MINOR, phase=IncidentPhase.IDENTIFIED, kind="moon_fell",
        facts={"crater": "<b>9</b> km"}, opened_ns=NOW,
        updates=(update(1, NOW, "identified", "tide_rose", height="3 m"),),
    )  # fmt: skip
    site = build(structs.replace(calm(), incidents=(line,)), NOW, TOLD)
    page = text_of(site["incidents/1.html"])
    assert "moon fell (crater: <b>9</b> km)" in page
    assert "tide rose (height: 3 m)" in page


def test_a_template_without_its_facts_says_less_and_never_nothing() -> None:
    for book in BOOKS.values():
        words = Words(book.locale)
        for kind in book.updates:
            said = words.update(update(1, NOW, "identified", kind)).plain()
            assert said or kind == "words", f"{kind} says nothing without facts"
            assert "{" not in said
        for kind in book.titles:
            line = IncidentLine(
                number=1, severity=Severity.MINOR, phase=IncidentPhase.IDENTIFIED, kind=kind,
                opened_ns=NOW,
            )  # fmt: skip
            assert words.title(line).plain()


def flat(book: Book) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    for name in structs.asdict(book):
        table = getattr(book, name)
        if name in {"networks", "units"} or isinstance(table, str):
            continue
        for key, texts in table.items():
            found[f"{name}.{key}"] = [
                sorted(places(each)) for each in ((texts,) if isinstance(texts, str) else texts)
            ]
    return found


def test_both_books_have_the_same_keys_and_places() -> None:
    assert flat(BOOKS["en"]) == flat(BOOKS["ar"])
    assert set(BOOKS["en"].networks) == set(BOOKS["ar"].networks)


def test_numbers_and_times_in_both_languages() -> None:
    english, arabic = Words("en"), Words("ar")
    assert english.amount("1234567.000000000000000001") == "1,234,567.000000000000000001"
    assert arabic.amount("1234567.5") == "1,234,567.5"
    assert english.plain_time(NOW) == "7 May 2026, 16:50:00 UTC"
    assert arabic.plain_time(NOW) == "7 مايو 2026، 16:50:00 UTC"
    assert english.duration(7_500) == "2 hours 5 minutes"
    assert arabic.duration(7_500) == "ساعتان و5 دقائق"
    assert arabic.duration(3 * 86_400 + 11 * 3_600) == "3 أيام و11 ساعة"
    assert arabic.duration(0) == "0 ثانية"


def test_a_statement_can_be_checked_by_anyone(tmp_path: Path) -> None:
    program = shutil.which("openssl")
    assert program, "openssl is part of every system that these tests run on"
    site = build(outage(), NOW, TOLD)
    for path in (statement.TEXT, statement.SIGNATURE, statement.KEY):
        (tmp_path / Path(path).name).write_bytes(site[path])
    command = statement.COMMAND.split()
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Verified Successfully" in told.stdout
    assert "found right" in text_of(site["index.html"])
    (tmp_path / "statement.json").write_text("{}")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("change", [{"signature": "00" * 64}, {"public_key": "not hex"}])
def test_a_wrong_signature_is_said_to_be_wrong(change: dict[str, str]) -> None:
    signed = outage().statement
    assert isinstance(signed, StatementLine)
    document = structs.replace(outage(), statement=structs.replace(signed, **change))
    page = text_of(build(document, NOW, TOLD)["index.html"])
    assert "The signature is not right" in page
    assert "found right" not in page


def test_the_bars_know_what_is_not_known() -> None:
    document = structs.replace(
        calm(),
        history_from="2026-05-01",
        history=(DayLine(service=ETH, day="2026-05-06", closed_s=60),),
    )
    bars = levels.bars(document, ETH)
    assert len(bars) == 90
    assert bars[-1].day == datetime.fromtimestamp(NOW // SECOND, UTC).date()
    assert [bar.level for bar in bars[-8:]] == [
        None, *["operational"] * 5, "major_outage", "operational"
    ]  # fmt: skip
    page = text_of(build(document, NOW, TOLD)["history.html"])
    assert "6 May 2026: closed for 1 minute" in page


def test_planned_work_explains_a_closure_and_hides_no_incident() -> None:
    work = structs.replace(
        outage().maintenances[0], services=(ETH,), begins_ns=NOW - 1, status="in_progress"
    )
    paused = service(ETH, Posture.PAUSED)
    document = structs.replace(calm(), maintenances=(work,), services=(paused,))
    assert levels.service_level(paused, document) == "under_maintenance"
    assert levels.indicator(document) == "maintenance"
    hit = structs.replace(paused, incident=4)
    assert levels.service_level(hit, document) == "major_outage"


def test_the_feeds_are_read_by_a_feed_reader() -> None:
    site = build(outage(), NOW, TOLD)
    atom = feedparser.parse(site["history.atom"])
    assert not atom.bozo
    assert len(atom.entries) == 4
    assert len({entry.id for entry in atom.entries}) == 4
    newest = atom.entries[0]
    assert newest.title == "We cannot reach the provider “amber”"
    assert newest.link == f"{URL}/incidents/7.html"
    assert newest.content[0].value.startswith("7 May 2026, 16:43:00 UTC")
    rss = feedparser.parse(site["history.rss"])
    assert not rss.bozo
    assert len(rss.entries) == 12
    assert len({entry.id for entry in rss.entries}) == 12
    assert rss.entries[0].published == "Thu, 07 May 2026 16:43:00 +0000"


def test_clean_takes_out_what_no_page_may_hold() -> None:
    assert clean("a\x00b\u202ec\r\nd\ud800\uffffe\U0001ffff") == "abc\nde"
