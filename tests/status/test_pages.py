"""The pages where people read them: a real browser.  The rule: complete without a script."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.status.proving import brought
from tests.status.sample import NOW, SECOND, calm, outage
from tests.status.serving import Site, served
from tests.tools import program

from seawall.status.site import SiteSettings, build
from seawall.status.words import Words

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PAGES = ("index.html", "history.html", "incidents/7.html", "incidents/6.html")
LANGUAGES = {"en": "", "ar": "ar/"}
TOLD = SiteSettings(url="https://status.example")
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = program(*BROWSERS)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with served(build(outage(), NOW, TOLD)) as serving:
        yield serving


def context(browser: Browser, *, script: bool = True, width: int = 1100, scheme: Any = "light",
            height: int = 900, csp: bool = True) -> BrowserContext:  # fmt: skip
    return browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme,
        java_script_enabled=script, bypass_csp=not csp,
    )  # fmt: skip


def picture(page: Page, name: str, *, full: bool = False) -> None:
    """Keep a picture where SEAWALL_PICTURES says, for people to look at."""
    if folder := os.environ.get("SEAWALL_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=full)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_page_is_valid(tmp_path: Path) -> None:
    checker = brought("vnu-jar/build/dist/vnu.jar")
    java = program("java")
    files = {"wrong.html": b"<!DOCTYPE html><title>x</title><p><div></p>"}
    for name, document in (("calm", calm()), ("outage", outage())):
        for path, content in build(document, NOW, TOLD).items():
            of_interest = name == "outage" or path.endswith("index.html")
            if of_interest and path.endswith((".html", ".css", ".svg")):
                files[f"{name}/{path}"] = content
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    told = subprocess.run(
        [java, "-jar", str(checker), "--also-check-css", "--also-check-svg", "--format", "json",
         *(str(tmp_path / path) for path in files)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    messages = [
        f"{each['url']}: {each['message']}"
        for each in json.loads(told.stderr)["messages"]
        # A policy of 'self' means nothing in a folder; the browser holds the pages to it.
        if "violates Content Security Policy" not in each["message"]
    ]
    assert [each for each in messages if "wrong.html" in each], "the checker sees what is wrong"
    assert not [each for each in messages if "wrong.html" not in each]
    assert {"outage/ar/index.html", "outage/incidents/7.html"} <= set(files)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_barrier_that_a_machine_can_find(
    browser: Browser, site: Site, language: str, scheme: str
) -> None:
    axe = brought("axe-core/axe.min.js").read_text("utf-8")
    # Only so that axe can be put into the page, which its own policy forbids.
    with context(browser, scheme=scheme, csp=False) as opened:
        page = opened.new_page()
        # The two schemes differ in colours only, and the first page has them all.
        for name in PAGES if scheme == "light" else PAGES[:1]:
            page.goto(f"{site.url}/{LANGUAGES[language]}{name}")
            page.evaluate(axe)
            run = f"axe.run({{runOnly: {{type: 'tag', values: {json.dumps(AXE_RULES)}}}}})"
            found = page.evaluate(run)
            assert found["passes"], "axe looked at something"
            wrong = [
                (each["id"], [node["html"][:200] for node in each["nodes"]])
                for each in found["violations"]
            ]
            assert not wrong, f"{name}: {wrong}"


@pytest.mark.parametrize("width", [390, 1100])
@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_are_whole_without_a_script(
    browser: Browser, site: Site, language: str, width: int
) -> None:
    with context(browser, script=False, width=width) as opened:
        page = opened.new_page()
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text))
        page.goto(f"{site.url}/{LANGUAGES[language]}index.html")
        expect(page.locator("html")).to_have_attribute("dir", "rtl" if language == "ar" else "ltr")
        expect(page.locator(".services li")).to_have_count(11)
        expect(page.locator(".gates li")).to_have_count(6)
        expect(page.locator(".late:visible")).to_have_count(1)
        expect(page.locator("#stale")).to_be_hidden()
        assert not errors, "the page breaks no policy of its own"
        for name in PAGES:
            page.goto(f"{site.url}/{LANGUAGES[language]}{name}")
            box = page.locator("main").bounding_box()
            assert box is not None
            assert box["width"] <= width, f"{name} hangs over the edge"
            assert page.locator("footer").is_visible()
            picture(page, f"{language}-{width}-{name.replace('/', '-')}", full=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_turns_out_of_date_by_itself(browser: Browser, language: str) -> None:
    now_ns = time.time_ns()
    document = structs.replace(outage(), at_ns=now_ns - SECOND, made_ns=now_ns)
    with served(build(document, now_ns, TOLD)) as site, context(browser) as opened:
        page = opened.new_page()
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.clock.install(time=now_ns / 1e9)
        page.goto(f"{site.url}/{LANGUAGES[language]}index.html")
        expect(page.locator("#stale")).to_be_hidden()
        age = page.locator("#age")
        expect(age).to_contain_text("second" if language == "en" else "ثانية")
        page.clock.run_for(60_000)
        expect(age).to_contain_text("1 minute ago" if language == "en" else "دقيقة")
        expect(page.locator("#stale")).to_be_hidden()
        page.clock.run_for(75_000)
        expect(page.locator("#stale")).to_be_visible()
        expect(page.locator("body")).to_have_class("is-stale")
        nobody_knows = Words(language).book.headlines["unknown"]
        expect(page.locator("h1")).to_have_text(nobody_knows)
        picture(page, f"{language}-stale")
        assert not errors


def test_a_promise_is_seen_to_break_and_news_are_loaded(browser: Browser) -> None:
    now_ns = time.time_ns()
    lines = outage().incidents
    due = structs.replace(lines[1], next_update_ns=now_ns + 30 * SECOND)
    document = structs.replace(outage(), at_ns=now_ns, made_ns=now_ns, incidents=(due,), sequence=1)
    with served(build(document, now_ns, TOLD)) as site, context(browser) as opened:
        page = opened.new_page()
        page.clock.install(time=now_ns / 1e9)
        page.goto(f"{site.url}/index.html")
        expect(page.locator(".late")).to_be_hidden()
        page.clock.run_for(31_000)
        expect(page.locator(".late")).to_be_visible()
        news = structs.replace(calm(), at_ns=now_ns + 40 * SECOND, sequence=2)
        site.files = build(news, now_ns + 40 * SECOND, TOLD)
        page.clock.run_for(20_000)
        expect(page.locator("h1")).to_have_text("All services work")
