"""The first page in a real browser.  The rule: what is not current says so."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Route,
    WebSocketRoute,
    expect,
    sync_playwright,
)
from tests.exchange import Exchange, running_exchange
from tests.tools import program

from seawall.web import site

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PLAIN = Path(site.__file__).parent / "plain"
SOME = re.compile("^[1-9]")
PATIENCE_MS = 60_000
CUT_OFF_MS = 1_778_113_213_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = program(*BROWSERS)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    with running_exchange(tmp_path_factory.mktemp("page")) as running:
        running.app._cold = site.Site(running.app._cold)
        yield running


class Visit:
    """One page, and everything that went wrong on it."""

    def __init__(self, browser: Browser, width: int, height: int, language: str = "en-GB") -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, locale=language, color_scheme="dark"
        )
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(message.text)

    def picture(self, name: str) -> None:
        """Keep a picture where SEAWALL_PICTURES says, for people to look at."""
        if folder := os.environ.get("SEAWALL_PICTURES"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    made = Visit(browser, 1280, 800)
    yield made
    made.context.close()


@pytest.fixture
def mobile(browser: Browser) -> Iterator[Visit]:
    made = Visit(browser, 390, 844, "ar-EG")
    yield made
    made.context.close()


def wait_for_life(page: Page) -> None:
    expect(page.locator("#link")).to_have_attribute("data-link", "live")
    expect(page.locator("#chart canvas").first).to_be_visible()
    expect(page.locator("#chart")).to_have_attribute("data-candles", SOME)
    expect(page.locator("#asks .level .price").first).not_to_be_empty()


def test_the_market_is_alive(exchange: Exchange, visit: Visit) -> None:
    assert site.page_root().name == "dist", "the page is not built: make page"
    page = visit.page
    page.goto(exchange.url + "/?interval=1s")
    wait_for_life(page)
    expect(page.locator("#status")).to_have_attribute("data-status", "open")
    newest = page.locator("#trades .trade").first
    expect(newest).to_be_visible()
    before = newest.get_attribute("data-id")
    expect(newest).not_to_have_attribute("data-id", str(before))
    candles = page.locator("#chart").get_attribute("data-candles")
    expect(page.locator("#chart")).not_to_have_attribute("data-candles", str(candles))
    best_ask = page.locator("#asks .level .price").first.inner_text()
    best_bid = page.locator("#bids .level .price").first.inner_text()
    assert float(best_ask.replace(",", "")) > float(best_bid.replace(",", ""))
    visit.picture("desktop-dark")
    assert not visit.errors
    hosts = {url.split("/")[2] for url in visit.asked if "://" in url}
    assert hosts == {exchange.url.split("/")[2]}, "the page asks nobody else for anything"


def test_another_market_interval_and_theme(exchange: Exchange, visit: Visit) -> None:
    page = visit.page
    page.goto(exchange.url)
    wait_for_life(page)
    page.select_option("#market", "ETHBTC")
    page.get_by_role("button", name="5m", exact=True).click()
    expect(page).to_have_title(re.compile(r"^0\.04\d+ ETHBTC · Seawall$"))
    wait_for_life(page)
    page.get_by_role("button", name="Light").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    visit.picture("desktop-light")
    page.reload()
    wait_for_life(page)
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    expect(page.locator("#market")).to_have_value("ETHBTC")
    assert not visit.errors


def test_arabic_runs_right_to_left_on_a_phone(exchange: Exchange, mobile: Visit) -> None:
    page = mobile.page
    page.goto(exchange.url)
    wait_for_life(page)
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.locator("#book-title")).to_have_text("دفتر الأوامر")
    assert page.locator("#legend").evaluate("e => getComputedStyle(e).direction") == "ltr"
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0, "nothing hangs over the edge of a phone"
    mobile.picture("phone-arabic")
    page.locator("#trades-title").scroll_into_view_if_needed()
    mobile.picture("phone-arabic-trades")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("dir", "ltr")
    assert not mobile.errors


def test_a_halt_and_its_reason_are_told(exchange: Exchange, visit: Visit) -> None:
    page = visit.page
    page.goto(exchange.url + "/?market=BNBUSDT")
    wait_for_life(page)
    path = "markets/BNBUSDT/status"
    exchange.operator(path, {"status": "cancel_only", "reason": "a drill <b>of ours</b>"})
    try:
        expect(page.locator("#status")).to_have_attribute("data-status", "cancel_only")
        expect(page.locator("#notice")).to_contain_text("a drill <b>of ours</b>")
        visit.picture("desktop-cancel-only")
    finally:
        exchange.operator(path, {"status": "auction", "reason": "reopening"})
        exchange.operator(path, {"status": "open", "reason": "over"})
    expect(page.locator("#notice")).to_be_hidden()
    assert not visit.errors


def test_a_lost_exchange_leaves_the_last_known(exchange: Exchange, visit: Visit) -> None:
    page = visit.page
    page.goto(exchange.url)
    wait_for_life(page)
    visit.context.route("**/seawall/v1/markets", lambda route: route.abort())
    expect(page.locator("#link")).to_have_attribute("data-link", "stale")
    expect(page.locator("#notice")).to_contain_text("as last known at")
    expect(page.locator("#notice")).to_contain_text("UTC")
    expect(page.locator("#asks .level .price").first).not_to_be_empty()
    expect(page.locator("#status")).to_have_attribute("data-status", "unknown")
    visit.picture("desktop-stale")
    visit.context.unroute("**/seawall/v1/markets")
    expect(page.locator("#link")).to_have_attribute("data-link", "live")
    expect(page.locator("#notice")).to_be_hidden()


def cut_off(route: Route) -> None:
    """Answer as a node that was cut off 12 s ago does."""
    told = route.fetch().json()
    told |= {"current": False, "stale": 12.5, "asOf": CUT_OFF_MS}
    route.fulfill(json=told)


def cut_off_socket(route: WebSocketRoute) -> None:
    """Pass streams on, but for the status: that is a node's which was cut off."""
    server = route.connect_to_server()

    def told(message: str | bytes) -> None:
        if "seawall@status" not in str(message):
            route.send(message)
            return
        status = {"e": "seawallStatus", "state": "stale", "asOf": CUT_OFF_MS, "stale": 12.5}
        route.send(json.dumps({"stream": "seawall@status", "data": status}))

    server.on_message(told)


def test_a_node_that_is_cut_off_shows_the_last_known(exchange: Exchange, visit: Visit) -> None:
    """A page that is opened in the middle of it shows what was known, and of when that is."""
    page = visit.page
    visit.context.route("**/seawall/v1/markets", cut_off)
    visit.context.route_web_socket(re.compile(r"/stream\?"), cut_off_socket)
    page.goto(exchange.url)
    expect(page.locator("#link")).to_have_attribute("data-link", "stale")
    expect(page.locator("#notice")).to_contain_text("as last known at")
    expect(page.locator("#notice")).to_contain_text("2026-05-07 00:20:13 UTC")
    expect(page.locator("#asks .level .price").first).not_to_be_empty()
    expect(page.locator("#status")).to_have_attribute("data-status", "unknown")
    visit.picture("desktop-cut-off")
    page.get_by_role("button", name="العربية").click()
    expect(page.locator("#notice")).to_contain_text("آخر ما عُرف عند")
    expect(page.locator("#notice")).to_contain_text("2026-05-07 00:20:13 UTC")
    visit.picture("desktop-cut-off-arabic")
    quotes = [url for url in visit.asked if "/api/v3/depth" in url]
    assert quotes, "the book was asked for, as last known"
    visit.context.unroute("**/seawall/v1/markets")
    expect(page.locator("#link")).to_have_attribute("data-link", "live")
    expect(page.locator("#notice")).to_be_hidden()
    assert not visit.errors


def test_the_plain_page_stands_in(exchange: Exchange, visit: Visit) -> None:
    full = exchange.app._cold
    exchange.app._cold = site.Site(full, PLAIN)
    try:
        page = visit.page
        page.goto(exchange.url)
        expect(page.locator("canvas")).to_have_attribute("data-candles", SOME)
        expect(page.locator("#trades tr").first).to_be_visible()
        expect(page.locator("#state")).to_have_text("open")
        visit.picture("plain")
        assert not visit.errors
    finally:
        exchange.app._cold = full
