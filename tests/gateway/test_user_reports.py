"""Users' reports at the gateway.  The rule: one voice is one report, from our page or a program."""

import re
from urllib.parse import urlencode

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.exchange import Exchange, User

from seawall.gateway.report_counts import ReportCounts, Reporters
from seawall.gateway.report_page import ARABIC, ENGLISH
from seawall.gateway.sealing import Sealer
from seawall.model.user_reports import SUMMARY_REPORTS, ReportSummary, Topic

AT = "/seawall/v1/user-reports"
SECOND_NS = 1_000_000_000
HOUR_NS = 3_600 * SECOND_NS


async def summary(exchange: Exchange, *, as_operator: bool = False) -> ReportSummary:
    headers = exchange.operator_headers if as_operator else {}
    answer = await exchange.client.get(f"{AT}/summary", headers=headers)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=ReportSummary)


def counted(found: ReportSummary) -> dict[Topic, int]:
    return {each.topic: each.last_window for each in found.topics if each.last_window}


def signed(user: User, exchange: Exchange, topic: str) -> str:
    query = urlencode({"topic": topic, "timestamp": exchange.now_ms()})
    return f"{query}&signature={user.sign(query)}"


async def test_a_report_counts_once_as_form_and_as_json(exchange: Exchange) -> None:
    first = await exchange.client.post(AT, json={"topic": "withdrawals"})
    assert first.json() == {
        "topic": "withdrawals", "counted": True, "signedIn": False, "windowSeconds": 3_600,
    }  # fmt: skip
    second = await exchange.client.post(AT, data={"topic": "withdrawals"})
    assert second.json()["counted"] is False
    other = await exchange.client.post(AT, data={"topic": "cancels"})
    assert other.json()["counted"] is True
    assert counted(await summary(exchange)) == {Topic.WITHDRAWALS: 1, Topic.CANCELS: 1}
    exchange.clock.advance(HOUR_NS)
    again = await exchange.client.post(AT, data={"topic": "withdrawals"})
    assert again.json()["counted"] is True
    found = next(e for e in (await summary(exchange)).topics if e.topic is Topic.WITHDRAWALS)
    assert (found.last_window, found.hours[:3]) == (1, (1, 1, 0))


async def test_who_signs_is_a_reporter_of_his_own_and_uses_up_his_address(
    exchange: Exchange, alice: User, bob: User
) -> None:
    for user in (alice, bob, alice):
        answer = await exchange.client.post(
            AT, content=signed(user, exchange, "trading"), headers=user.headers
        )
        assert answer.json()["signedIn"] is True
    assert counted(await summary(exchange)) == {Topic.TRADING: 2}
    nobody = await exchange.client.post(AT, data={"topic": "trading"})
    assert nobody.json()["counted"] is False


async def test_a_bad_signature_is_refused_and_not_taken_as_nobody(
    exchange: Exchange, alice: User
) -> None:
    content = signed(alice, exchange, "trading")[:-1] + "x"
    answer = await exchange.client.post(AT, content=content, headers=alice.headers)
    assert answer.json()["code"] == -1022
    assert not counted(await summary(exchange))


async def test_only_the_operators_token_shows_who_reported(exchange: Exchange) -> None:
    await exchange.client.post(AT, data={"topic": "sign_in"})
    assert (await summary(exchange)).reports is None
    reports = (await summary(exchange, as_operator=True)).reports
    assert reports is not None
    assert [each.topic for each in reports] == [Topic.SIGN_IN]
    assert re.fullmatch("[0-9a-f]{32}", reports[0].reporter)
    wrong = await exchange.client.get(f"{AT}/summary", headers={"x-seawall-operator": "no"})
    assert wrong.status_code == 403


async def test_what_is_no_report_is_refused_by_name(exchange: Exchange) -> None:
    for answer, status in (
        (await exchange.client.post(AT, data={"topic": "weather"}), 400),
        (await exchange.client.post(AT, data={}), 400),
        (await exchange.client.post(AT, json={"topic": "trading", "text": "hello"}), 400),
        (await exchange.client.post(AT, json=["trading"]), 400),
        (await exchange.client.post(AT, content=b"{"), 400),
        (await exchange.client.post(AT, content=b"topic=\xff"), 400),
        (await exchange.client.post(AT, content=b"a" * 5_000), 413),
    ):
        assert answer.status_code == status, answer.text
        assert answer.json()["code"] < 0
    assert not counted(await summary(exchange))


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://elsewhere.example"}, {"origin": "null"},
     {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}],
)  # fmt: skip
async def test_another_sites_page_cannot_report_through_its_visitors(
    exchange: Exchange, headers: dict[str, str]
) -> None:
    for path in (AT, "/report"):
        answer = await exchange.client.post(path, data={"topic": "trading"}, headers=headers)
        assert answer.status_code == 403
    assert not counted(await summary(exchange))


async def test_one_address_is_held_back(exchange: Exchange) -> None:
    answers = [await exchange.client.post(AT, data={"topic": "trading"}) for _ in range(320)]
    assert answers[299].status_code == 200
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    shown = await exchange.client.get("/report")
    assert shown.status_code == 429
    assert 'id="trouble"' in shown.text


# The page


async def test_the_page_takes_a_report_without_script(exchange: Exchange) -> None:
    page = await exchange.client.get("/report", headers={"accept-language": "en"})
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "script" not in page.headers["content-security-policy"]
    action = re.search(r'action="([^"]+)"', page.text)
    assert action is not None
    assert set(re.findall(r'name="topic" value="(\w+)"', page.text)) == set(Topic)
    own = {"origin": "http://exchange", "host": "exchange", "sec-fetch-site": "same-origin"}
    sent = await exchange.client.post(action[1], data={"topic": "balances"}, headers=own)
    assert sent.status_code == 303
    thanks = await exchange.client.get(sent.headers["location"])
    assert ENGLISH["thanks"] in thanks.text
    again = await exchange.client.post(action[1], data={"topic": "balances"}, headers=own)
    shown = await exchange.client.get(again.headers["location"])
    assert ENGLISH["again"] in shown.text
    assert counted(await summary(exchange)) == {Topic.BALANCES: 1}


async def test_the_page_speaks_arabic_from_right_to_left(exchange: Exchange) -> None:
    for page in (
        await exchange.client.get("/report", headers={"accept-language": "ar-SA,ar;q=0.9"}),
        await exchange.client.get("/report?lang=ar"),
    ):
        assert 'lang="ar" dir="rtl"' in page.text
        assert all(ARABIC[topic] in page.text for topic in Topic)
        assert "/report?lang=ar" in page.text
    sent = await exchange.client.post("/report?lang=ar", data={"topic": "deposits"})
    thanks = await exchange.client.get(sent.headers["location"])
    assert ARABIC["thanks"] in thanks.text


async def test_nothing_of_the_address_is_put_into_the_page(exchange: Exchange) -> None:
    for query in ("lang=<b>", "thanks=<b>x</b>", "again=weather"):
        page = await exchange.client.get(f"/report?{query}")
        assert page.status_code == 200
        assert "<b>x</b>" not in page.text
        assert 'id="said"' not in page.text
    assert set(ARABIC) == set(ENGLISH)


async def test_it_works_while_the_exchange_has_stopped(exchange: Exchange, alice: User) -> None:
    await exchange.node.close()
    assert not exchange.node.ready
    content = signed(alice, exchange, "trading")
    answer = await exchange.client.post(AT, content=content, headers=alice.headers)
    assert answer.json()["counted"] is True
    assert (await exchange.client.get("/report")).status_code == 200


async def test_two_nodes_know_a_reporter_by_one_name(exchange: Exchange) -> None:
    other, stranger = Sealer(b"k" * 32), Sealer(b"l" * 32)
    assert Sealer(b"k" * 32).pseudonym("user|7") == other.pseudonym("user|7")
    assert stranger.pseudonym("user|7") != other.pseudonym("user|7")
    assert other.pseudonym("user|8") != other.pseudonym("user|7")


# The counting


def name(text: str) -> str:
    return text


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 4), st.integers(0, 3)), max_size=300))
def test_counts_are_those_of_a_naive_list(steps: list[tuple[int, int, int]]) -> None:
    """Each step: seconds since the last, a user or nobody, an address."""
    counts = ReportCounts(0)
    seen: list[tuple[str, int]] = []
    listed: list[int] = []
    now_ns = HOUR_NS
    for seconds, user_id, host in steps:
        now_ns += seconds * SECOND_NS
        reporters = Reporters(name, user_id, f"192.0.2.{host}")
        known = {who for who, at_ns in seen if now_ns - at_ns < HOUR_NS}
        fresh = reporters.name not in known
        assert counts.add(Topic.TRADING, reporters, now_ns) == fresh
        if fresh:
            seen.append((reporters.name, now_ns))
            listed.append(now_ns)
            if reporters.address not in known:
                seen.append((reporters.address, now_ns))
        whole = counts.summary("amber", now_ns, reports=True)
        assert whole.reports is not None
        assert len(whole.reports) == sum(now_ns - at_ns < HOUR_NS for at_ns in listed)


def test_a_network_of_ipv6_is_one_place_and_ten_thousand_reports_are_one() -> None:
    counts = ReportCounts(0)
    took = sum(
        counts.add(Topic.TRADING, Reporters(name, 0, f"2001:db8::{each:x}"), each)
        for each in range(10_000)
    )
    assert took == 1
    assert counts.add(Topic.TRADING, Reporters(name, 0, "2001:db8:0:1::1"), 10_000)
    mapped = Reporters(name, 0, "::ffff:192.0.2.1").name
    assert mapped == Reporters(name, 0, "192.0.2.1").name


def test_a_flood_of_addresses_is_bounded_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seawall.gateway.report_counts.REPORTERS_MOST", 100)
    counts = ReportCounts(0)
    for each in range(500):
        counts.add(Topic.TRADING, Reporters(name, each + 1, f"10.0.{each // 250}.{each % 250}"), 1)
    found = counts.summary("amber", 1, reports=True)
    assert found.cut
    assert found.reports is not None
    assert len(found.reports) == 100
    assert found.topics[list(Topic).index(Topic.TRADING)].hours[0] == 500


def test_a_flood_on_one_topic_hides_no_other() -> None:
    counts = ReportCounts(0)
    counts.add(Topic.WITHDRAWALS, Reporters(name, 7, "192.0.2.1"), 1)
    for each in range(SUMMARY_REPORTS + 10):
        counts.add(Topic.CANCELS, Reporters(name, each + 1, f"flood-{each}"), 2 + each)
    found = counts.summary("amber", SUMMARY_REPORTS, reports=True)
    assert found.cut
    assert found.reports is not None
    assert len(found.reports) <= SUMMARY_REPORTS
    assert [each.reporter for each in found.reports if each.topic is Topic.WITHDRAWALS] == [
        "user|7"
    ]
    assert found.reports[-1].reporter == f"user|{SUMMARY_REPORTS + 10}"


async def test_the_routes_take_only_their_verbs(exchange: Exchange) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=exchange.app), base_url="http://exchange"
    ) as client:
        assert (await client.get(AT)).status_code in (404, 405)
        assert (await client.delete("/report")).status_code in (404, 405)
