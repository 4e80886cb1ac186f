"""Where the document comes from.  The rule: the newest of several, never back, kept on disk."""

import asyncio
import json
from pathlib import Path

import httpx
import msgspec
import pytest
from msgspec import structs
from tests.status.sample import MINUTE, NOW, SECOND, calm, outage
from tests.status.serving import Site, served
from tests.status.waiting import until

from seawall.model.status_document import StatusDocument
from seawall.status.gateways import PATH, DocumentError, Gateways, Kept, decode
from seawall.status.running import StatusRun
from seawall.status.settings import StatusSettings, TargetSettings
from seawall.status.site import build


def told(document: StatusDocument) -> dict[str, bytes]:
    return {PATH.lstrip("/"): msgspec.json.encode(document)}


def at(sequence: int, seconds: int = 0) -> StatusDocument:
    return calm(sequence=sequence, at=NOW + seconds * SECOND)


async def test_the_newest_of_several_is_taken_and_never_an_older(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "document.json")
    with served(told(at(5, 5))) as one, served(told(at(7, 7))) as two, served({}) as three:
        async with httpx.AsyncClient() as client:
            gateways = Gateways((one.url, two.url, three.url, "http://127.0.0.1:1"), client, kept)
            assert await gateways.ask(NOW + 8 * SECOND)
            assert kept.document == at(7, 7)
            two.files = told(at(6, 6))
            assert not await gateways.ask(NOW + 9 * SECOND)
            assert kept.document == at(7, 7)
            assert gateways.faults[three.url] == "HTTP 404"
            assert "ConnectError" in gateways.faults["http://127.0.0.1:1"]
    assert Kept(tmp_path / "document.json").document == at(7, 7), "kept across restarts"


def test_a_control_cell_that_stands_still_does_not_hide_what_the_others_tell() -> None:
    kept = Kept(None)
    assert kept.take(calm(sequence=5), NOW)
    later = structs.replace(outage(), sequence=5, made_ns=NOW + 9 * SECOND)
    assert kept.take(later, NOW + 9 * SECOND)
    assert not kept.take(calm(sequence=5), NOW + 9 * SECOND)
    assert kept.document == later
    # Its lease was for four seconds.
    page = build(later, NOW + 9 * SECOND)["index.html"].decode()
    assert "Withdrawals have stopped by themselves" in page


@pytest.mark.parametrize(
    "document, why",
    [
        (calm(sequence=9, at=NOW + 2 * MINUTE), "future"),
        (calm(sequence=9, at=NOW - SECOND), "time goes back"),
        (structs.replace(calm(sequence=9), exchange="Other"), "is of 'Other'"),
    ],
)
def test_what_may_not_be_believed_is_refused(document: StatusDocument, why: str) -> None:
    kept = Kept(None)
    assert kept.take(at(5), NOW)
    with pytest.raises(DocumentError, match=why):
        kept.take(document, NOW)
    assert kept.document == at(5)


@pytest.mark.usefixtures("usual_recursion")
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b"[" * 50_000, b'{"exchange": 1}'])
def test_what_is_no_document_is_refused(body: bytes) -> None:
    with pytest.raises(DocumentError):
        decode(body)


def test_a_later_release_may_say_more() -> None:
    body = json.loads(msgspec.json.encode(outage()))
    body["mood"] = "calm"
    body["services"][0]["colour"] = "blue"
    body["incidents"][0]["updates"][0]["author"] = {"name": "x"}
    body["statement"]["algorithm"] = "ed25519"
    body["plans"][0]["gates"][0]["unit"] = "s"
    assert decode(json.dumps(body).encode()) == outage()


def test_a_damaged_kept_document_is_no_end(tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    path.write_bytes(b"{")
    kept = Kept(path)
    assert kept.document is None
    assert kept.take(at(1), NOW)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def settings(tmp_path: Path, *sites: Site) -> StatusSettings:
    return StatusSettings(
        gateways=tuple(site.url for site in sites),
        data=str(tmp_path / "data"),
        every_s=1,
        target=(
            TargetSettings(url=f"file:{tmp_path / 'site'}"),
            TargetSettings(url="memory:///"),
        ),
    )


async def test_the_site_goes_on_and_shows_its_age_when_nobody_answers(tmp_path: Path) -> None:
    clock = Clock()
    index = tmp_path / "site" / "index.html"
    with served(told(at(5))) as gateway:
        async with httpx.AsyncClient() as client:
            running = StatusRun(settings(tmp_path, gateway), client=client, now_ns=clock)
            stop = asyncio.Event()
            task = asyncio.create_task(running.run(stop))
            await until((tmp_path / "site" / "site.json").is_file, task)
            assert "All services work" in index.read_text("utf-8")
            gateway.files = {}
            clock.now += 3 * MINUTE
            await until(lambda: "Nobody can say" in index.read_text("utf-8"), task)
            stop.set()
            await task
            # A new process has the last word, and says that it is old.
            again = StatusRun(settings(tmp_path, gateway), client=client, now_ns=clock)
            assert await again.refresh()
            assert b"Nobody can say" in again.site["index.html"]
            fresh = StatusRun(settings(tmp_path, gateway), client=client, now_ns=clock, anew=True)
            assert not await fresh.refresh()


async def test_nothing_is_built_while_nothing_is_new(tmp_path: Path) -> None:
    clock = Clock()
    with served({}) as gateway:
        async with httpx.AsyncClient() as client:
            running = StatusRun(settings(tmp_path, gateway), client=client, now_ns=clock)
            running._kept.take(at(5), clock.now)
            assert await running.refresh()
            clock.now += 5 * SECOND
            running._kept.take(at(9, 5), clock.now)
            assert not await running.refresh(), "only the age is another"
            running._kept.take(structs.replace(outage(), at_ns=clock.now), clock.now)
            assert await running.refresh(), "news are built at once"
            clock.now += 30 * SECOND
            assert await running.refresh(), "and a heartbeat"
