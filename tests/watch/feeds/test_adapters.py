"""Each adapter: what its feed tells is told on; what it does not surely tell is never green."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.texts import CHARACTERS
from tests.watch.feeds.samples import (
    AWS_EVENT,
    CALM,
    NOW_NS,
    NOW_S,
    OKX_EVENT,
    RSS_HEAD,
    RSS_TAIL,
    SOURCE,
    STATUSPAGE,
    TROUBLED,
    answer,
    aws_item,
    body,
    calm,
    troubled,
)

from seawall.model.watch_facts import Doubt, Health, Reading
from seawall.watch.feeds.alibaba import sign
from seawall.watch.feeds.azure_rss import over
from seawall.watch.feeds.kinds import KINDS
from seawall.watch.feeds.page import SECOND_NS, read

ALL = sorted(KINDS)
JSON = sorted(TROUBLED)
EXAMPLES = min(settings().max_examples, 2_000) // 3
"""For each kind of feed."""


def look(kind: str, content: bytes, at_ns: int = NOW_NS) -> Reading:
    return read(KINDS[kind].adapt, SOURCE, answer(content, at_ns))


@pytest.mark.parametrize("kind", ALL)
def test_calm_is_told_as_calm(kind: str) -> None:
    reading = look(kind, calm(kind))
    assert reading.health is Health.OK, reading.doubts


@pytest.mark.parametrize(
    "kind, health",
    [
        ("aws-events", Health.DOWN),
        ("aws-rss", Health.DOWN),
        ("google-cloud", Health.DOWN),
        ("azure-rss", Health.DEGRADED),
        ("alibaba", Health.DEGRADED),
        ("statuspage", Health.DEGRADED),
        ("statuspage-components", Health.DEGRADED),
        ("statuspage-incidents", Health.DEGRADED),
        ("binance", Health.MAINTENANCE),
        ("okx", Health.DOWN),
        ("kraken", Health.DEGRADED),
    ],
)
def test_trouble_is_told_as_trouble(kind: str, health: Health) -> None:
    reading = look(kind, troubled(kind))
    assert (reading.health, reading.doubts) == (health, ())
    assert reading.payload == answer(troubled(kind)).sha256
    assert all(fact.payload == reading.payload for fact in reading.facts)


def test_places_and_times_are_told() -> None:
    (fact,) = look("aws-events", troubled("aws-events")).facts
    assert (fact.services, fact.regions, fact.zones) == (
        ("dynamodb",), ("us-east-1",), ("use1-az4",),
    )  # fmt: skip
    assert (fact.began_ns, fact.updated_ns, fact.ended_ns) == (
        (NOW_S - 3_600) * SECOND_NS, (NOW_S - 600) * SECOND_NS, None,
    )  # fmt: skip
    (fact,) = look("google-cloud", troubled("google-cloud")).facts
    assert (fact.regions, fact.zones) == (("us-central1", "us-east4"), ("us-east4-b",))
    (fact,) = look("alibaba", troubled("alibaba")).facts
    assert (fact.services, fact.regions) == (("ecs",), ("cn-hongkong",))
    incident = next(f for f in look("statuspage", troubled("statuspage")).facts if f.url)
    assert incident.services == ("API",)


@pytest.mark.parametrize("kind", ALL)
@settings(max_examples=EXAMPLES)
@given(share=st.floats(0, 1))
def test_a_truncated_page_is_never_green(kind: str, share: float) -> None:
    for whole in (calm(kind), troubled(kind)):
        part = whole[: min(int(len(whole) * share), len(whole) - 1)]
        assert look(kind, part).health is not Health.OK


@pytest.mark.parametrize("kind", ALL)
@settings(max_examples=EXAMPLES)
@given(noise=st.binary(max_size=200))
def test_noise_is_never_green(kind: str, noise: bytes) -> None:
    assert look(kind, noise).health is not Health.OK


@pytest.mark.parametrize("kind", ALL)
def test_a_page_in_the_wrong_encoding_is_never_green(kind: str) -> None:
    utf_16 = kind == "aws-events"
    text = calm(kind).decode("utf-16" if utf_16 else "utf-8")
    for encoding in ("utf-8", "utf-16-le", "utf-8-sig") if utf_16 else ("utf-16", "utf-32"):
        assert look(kind, text.encode(encoding)).health is Health.UNKNOWN


def paths(document: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return where each key of each object stands."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield (*here, key)
            yield from paths(value, (*here, key))
    elif isinstance(document, list):
        for number, value in enumerate(document):
            yield from paths(value, (*here, number))


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return the document with another value at the path; with ... the key is gone."""
    document = deepcopy(document)
    target = document
    for step in path[:-1]:
        target = target[step]
    if value is ...:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return document


SURPRISES = st.one_of(
    st.just(...),
    st.booleans(),
    st.integers(4, 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    # Letters that spell none of the words of any feed.
    st.text("xyzXYZ _-", max_size=12),
    st.lists(st.text("xyz", max_size=3), min_size=1, max_size=2),
    st.dictionaries(st.text("xyz", max_size=3), st.integers(), min_size=1, max_size=2),
)


@pytest.mark.parametrize("kind", JSON)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_no_mutation_turns_trouble_green(kind: str, data: st.DataObject) -> None:
    document = TROUBLED[kind]
    path = data.draw(st.sampled_from(sorted(paths(document), key=repr)))
    mutant = changed(document, path, data.draw(SURPRISES))
    assert look(kind, body(kind, mutant)).health is not Health.OK


WORDS = [
    ("statuspage", ("status", "indicator")),
    ("statuspage", ("components", 0, "status")),
    ("statuspage-components", ("components", 0, "status")),
    ("google-cloud", (0, "status_impact")),
    ("google-cloud", (0, "most_recent_update", "status")),
    ("binance", ("msg",)),
    ("kraken", ("result", "status")),
]


@pytest.mark.parametrize("kind, path", WORDS)
@settings(max_examples=EXAMPLES)
@given(word=st.text(CHARACTERS, max_size=20))
def test_words_not_known_are_never_green(kind: str, path: tuple[Any, ...], word: str) -> None:
    reading = look(kind, body(kind, changed(CALM[kind], path, f"?{word}")))
    assert reading.health is Health.UNKNOWN
    assert {each.doubt for each in reading.doubts} & {Doubt.UNKNOWN_WORD, Doubt.MALFORMED}


@pytest.mark.parametrize("kind", JSON)
def test_what_a_calm_page_must_have_is_missed(kind: str) -> None:
    """Without what it reads, a page is not calm; the rest may go."""
    document = CALM[kind]
    needed = {
        "binance": {"status", "msg"},
        "kraken": {"error", "result"},
        "okx": {"code", "data"},
        "alibaba": {"Data"},
        "statuspage": {"page", "status", "components", "incidents", "scheduled_maintenances"},
        "statuspage-components": {"page", "components"},
        "statuspage-incidents": {"page", "incidents"},
    }.get(kind, set())
    for key in needed:
        assert look(kind, body(kind, changed(document, (key,), ...))).health is Health.UNKNOWN


def test_contradictions_are_unknown() -> None:
    over_without_end = {**AWS_EVENT, "status": "0"}
    assert look("aws-events", body("aws-events", [over_without_end])).health is Health.UNKNOWN
    incident = STATUSPAGE["incidents"][0] | {"status": "resolved"}  # type: ignore[index] # the sample's shape
    page = {**CALM["statuspage"], "incidents": [incident]}
    assert look("statuspage", body("statuspage", page)).health is Health.UNKNOWN
    indicator = {**CALM["statuspage"], "status": {"indicator": "critical", "description": "x"}}
    assert look("statuspage", body("statuspage", indicator)).health is Health.DOWN
    assert look("binance", b'{"status": 0, "msg": "system_maintenance"}').health is Health.UNKNOWN
    assert look("google-cloud", b"[]").health is Health.UNKNOWN, "an archive is never empty"


def test_refusals_are_unknown() -> None:
    assert look("okx", b'{"code": "50011", "msg": "Too Many Requests", "data": []}').health is (
        Health.UNKNOWN
    )
    kraken = b'{"error": ["EService:Busy"], "result": {"status": "online", "timestamp": "x"}}'
    assert look("kraken", kraken).health is Health.UNKNOWN
    assert look("alibaba", b'{"Code": "Forbidden", "Message": "no"}').health is Health.UNKNOWN


def test_one_bad_record_does_not_hide_the_others() -> None:
    reading = look("aws-events", body("aws-events", [{"arn": 1}, AWS_EVENT]))
    assert (reading.health, len(reading.facts), len(reading.doubts)) == (Health.DOWN, 1, 1)


def test_planned_maintenance_counts_from_its_beginning() -> None:
    later = {**OKX_EVENT, "state": "scheduled", "maintType": "1",
             "begin": str((NOW_S + 3_600) * 1000)}  # fmt: skip
    content = body("okx", {"code": "0", "data": [later], "msg": ""})
    assert look("okx", content).health is Health.OK
    assert look("okx", content, NOW_NS + 2 * 3_600 * SECOND_NS).health is Health.MAINTENANCE


def test_updates_of_aws_are_joined_into_incidents() -> None:
    items = "".join([
        aws_item("Service is operating normally: [RESOLVED] Errors",
                 "Sun, 19 Oct 2025 09:00:00 PDT", 3),
        aws_item("Service degradation: Errors", "Sun, 19 Oct 2025 08:00:00 PDT", 2),
        aws_item("Service disruption: Unreachable", "Mon, 20 Oct 2025 01:30:00 PDT", 5),
        aws_item("Informational message: Errors", "Mon, 20 Oct 2025 01:00:00 PDT", 4),
    ])  # fmt: skip
    reading = look("aws-rss", body("aws-rss", items))
    told = [(fact.health, fact.ended_ns is not None) for fact in reading.facts]
    assert sorted(told) == [(Health.DOWN, False), (Health.OK, True)]
    (open_now,) = (fact for fact in reading.facts if fact.ended_ns is None)
    assert open_now.began_ns == (NOW_S - 2_800) * SECOND_NS, "PDT is seven hours behind"
    assert open_now.zones == ("use1-az4",)


def test_what_aws_left_open_is_unknown_after_a_day() -> None:
    item = aws_item("Service degradation: Errors", "Fri, 17 Oct 2025 08:00:00 PDT", 2)
    assert look("aws-rss", body("aws-rss", item)).health is Health.UNKNOWN
    item = aws_item("Something else: Errors", "Mon, 20 Oct 2025 01:00:00 PDT", 2)
    assert look("aws-rss", body("aws-rss", item)).health is Health.UNKNOWN


@pytest.mark.parametrize(
    "title, ended",
    [
        ("Mitigated - Azure Front Door", True),
        ("Resolved: errors", True),
        ("Post Incident Review - Azure", True),
        ("Azure Front Door - being mitigated", False),
        ("Partially resolved", False),
        ("Not yet resolved", False),
        ("Unresolved errors", False),
        ("Azure Front Door", False),
    ],
)
def test_half_a_word_ends_nothing(title: str, ended: bool) -> None:
    assert over(title) is ended


@pytest.mark.parametrize(
    "content",
    [
        '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "b">]>' + RSS_HEAD[38:] + RSS_TAIL,
        "<html><body>Just a moment…</body></html>",
        RSS_HEAD + "<item><title>x</title></item>" + RSS_TAIL,
        RSS_HEAD.replace("<title>", "<title"),
    ],
    ids=["entities", "another page", "no time", "broken"],
)
def test_documents_that_are_no_feed(content: str) -> None:
    assert look("azure-rss", content.encode()).health is Health.UNKNOWN


def test_a_flood_of_facts_is_refused() -> None:
    many = json.dumps({"code": "0", "data": [OKX_EVENT] * 5_001, "msg": ""}).encode()
    reading = look("okx", many)
    assert Doubt.TOO_LARGE in {each.doubt for each in reading.doubts}


def test_requests_to_alibaba_are_signed_as_its_manual_shows() -> None:
    """The manual's own example (request signature V3, RunInstances)."""
    headers = sign(
        key_id="YourAccessKeyId",
        secret="YourAccessKeySecret",
        host="ecs.cn-shanghai.aliyuncs.com",
        query={
            "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
            "RegionId": "cn-shanghai",
        },
        date="2023-10-26T10:22:32Z",
        nonce="3156853299f313e23d1673dc12e1703d",
        action="RunInstances",
        version="2014-05-26",
    )
    signature = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    assert headers["authorization"].endswith(f"Signature={signature}")
