"""Publishing.  The rule: each target on its own, pages after what they lead to, never back."""

import asyncio
import hashlib
import time
from functools import partial
from pathlib import Path

import httpx
import pytest
from msgspec import structs
from tests.status.sample import MINUTE, NOW, SECOND, calm, outage
from tests.status.serving import served
from tests.status.waiting import until

from seawall.status.check import check
from seawall.status.publisher import LAST, Publisher, read_manifest
from seawall.status.settings import TargetSettings
from seawall.status.site import MANIFEST, SiteSettings, build
from seawall.status.targets import FOR_EVER, SHORT, Folder, Store, Target, open_target

TOLD = SiteSettings(url="https://status.example")


def memory() -> Store:
    target = open_target(TargetSettings(url="memory:///"))
    assert isinstance(target, Store)
    return target


def site(*, sequence: int = 10, at: int = NOW) -> dict[str, bytes]:
    document = structs.replace(outage(), sequence=sequence, at_ns=at, made_ns=at)
    return build(document, at + SECOND, TOLD)


@pytest.fixture(params=["folder", "store"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    return Folder(f"file:{tmp_path / 'site'}") if request.param == "folder" else memory()


async def test_every_kind_of_target_gives_back_what_was_put(target: Target) -> None:
    publisher = Publisher(target)
    made = site()
    assert await publisher.publish(made)
    for path, content in made.items():
        assert await target.get(path) == content
    assert await target.get("none.html") is None


async def test_what_has_not_changed_is_not_sent_again(target: Target) -> None:
    watched = Ailing(target, "", 0)
    publisher = Publisher(watched)
    first = site()
    await publisher.publish(first)
    watched.put_paths.clear()
    later = site(sequence=11, at=NOW + MINUTE)
    await publisher.publish(later)
    changed = {path for path in later if later[path] != first.get(path)}
    assert set(watched.put_paths) == changed
    assert not {"incidents/6.html", "history.atom", "statement/statement.json"} & changed
    assert await target.get("ar/index.html") == later["ar/index.html"]
    again = Publisher(target)
    await again.publish(later)
    assert again.sent == len(later), "who begins anew puts everything: files may be gone"


async def test_a_target_never_goes_back_unless_told_to(target: Target) -> None:
    await Publisher(target).publish(site(sequence=11))
    old = site(sequence=10)
    assert not await Publisher(target).publish(old)
    found = read_manifest(await target.get(MANIFEST))
    assert found is not None
    assert found.sequence == 11
    assert await Publisher(target, anew=True).publish(old)
    assert await target.get("index.html") == old["index.html"]


async def test_stores_are_told_types_and_how_long_to_keep() -> None:
    target = memory()
    made = site()
    await Publisher(target).publish(made)
    for path, kind, kept in (
        ("index.html", "text/html; charset=utf-8", SHORT),
        ("api/v2/summary.json", "application/json", SHORT),
        ("history.atom", "application/atom+xml; charset=utf-8", SHORT),
        (next(each for each in made if each.endswith(".js")), "text/javascript; charset=utf-8",
         FOR_EVER),
    ):  # fmt: skip
        attributes = (await target.store.get_async(path)).attributes
        assert (attributes["Content-Type"], attributes["Cache-Control"]) == (kind, kept)


class Ailing:
    """A target that fails at one path, as often as told."""

    def __init__(self, inner: Target, path: str, times: int) -> None:
        self.url = "ailing:"
        self.inner, self.path, self.times = inner, path, times
        self.put_paths: list[str] = []

    async def put(self, path: str, content: bytes) -> None:
        if path == self.path and self.times > 0:
            self.times -= 1
            raise OSError("no space left")
        await self.inner.put(path, content)
        self.put_paths.append(path)

    async def get(self, path: str) -> bytes | None:
        return await self.inner.get(path)


@pytest.mark.parametrize("path", ["incidents/7.html", "api/v2/summary.json", "index.html"])
async def test_a_copy_broken_off_shows_nobody_a_page_without_its_parts(path: str) -> None:
    ailing = Ailing(memory(), path, 1)
    publisher = Publisher(ailing)
    with pytest.raises(OSError, match="no space"):
        await publisher.publish(site())
    assert MANIFEST not in ailing.put_paths
    if path not in LAST:
        assert not set(LAST) & set(ailing.put_paths), "pages come after all that they lead to"
    assert await publisher.publish(site())
    assert ailing.put_paths[-1] == MANIFEST


def has(publisher: Publisher, sequence: int) -> bool:
    return publisher.published is not None and publisher.published.sequence >= sequence


async def test_a_failing_target_holds_back_no_other() -> None:
    ailing = Publisher(Ailing(memory(), "index.html", 10**6))
    well = Publisher(memory())
    tasks = [asyncio.create_task(each.run()) for each in (ailing, well)]
    try:
        for sequence in (10, 11, 12):
            made = site(sequence=sequence, at=NOW + sequence * SECOND)
            for publisher in (ailing, well):
                publisher.offer(made)
            await until(partial(has, well, sequence), *tasks)
        await until(lambda: bool(ailing.fault), *tasks)
        assert ailing.published is None
        assert "no space" in ailing.fault
        assert not well.fault
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_target_that_recovers_gets_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seawall.status.publisher.FIRST_WAIT_S", 0.01)
    publisher = Publisher(Ailing(memory(), "index.html", 3))
    task = asyncio.create_task(publisher.run())
    try:
        publisher.offer(site(sequence=10))
        await until(lambda: bool(publisher.fault), task)
        publisher.offer(site(sequence=12))
        await until(lambda: has(publisher, 12), task)
        assert not publisher.fault
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_what_is_no_target_is_refused() -> None:
    for url in ("status", "ftp://host/x", "s3:bucket"):
        with pytest.raises(ValueError, match=url.partition(":")[0]):
            open_target(TargetSettings(url=url))


async def test_copies_are_checked_as_readers_read_them(tmp_path: Path) -> None:
    now_ns = time.time_ns()
    made = build(structs.replace(calm(), at_ns=now_ns, sequence=9), now_ns, TOLD)
    older = build(structs.replace(calm(), at_ns=now_ns - 5 * MINUTE, sequence=8), now_ns, TOLD)
    folders = {name: Folder(f"file:{tmp_path / name}") for name in ("whole", "hurt", "late")}
    for name, folder in folders.items():
        await Publisher(folder).publish(older if name == "late" else made)
    (tmp_path / "hurt" / "history.html").write_bytes(b"defaced")
    (tmp_path / "hurt" / "document.json").unlink()
    with served(made) as site:
        async with httpx.AsyncClient() as client:
            places = [site.url, *(folder.url for folder in folders.values()), "file:/none/at/all"]
            found = await check(
                [TargetSettings(url=each) for each in places], client, now_ns + 20 * SECOND, 120
            )
    web, whole, hurt, late, none = found
    assert web.right
    assert whole.right
    assert whole.age_s == 20
    assert sorted(hurt.wrong) == ["document.json", "history.html"]
    assert late.stale
    assert late.behind
    assert not late.wrong
    assert "there is no site.json" in none.fault


def test_the_manifest_names_every_file() -> None:
    made = site()
    manifest = read_manifest(made[MANIFEST])
    assert manifest is not None
    assert set(manifest.files) == set(made) - {MANIFEST}
    for path, digest in manifest.files.items():
        assert hashlib.sha256(made[path]).hexdigest() == digest
    assert read_manifest(b"not json") is None
