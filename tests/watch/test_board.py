"""The board: stories of real outages, told as tables; its page, its file."""

from pathlib import Path

import msgspec
import pytest

from seawall.model.watch_facts import Doubt, Fact, Health, Reading, Uncertain, conclude
from seawall.watch.board import MINUTE_NS, Board, Confidence, Onsets, assess
from seawall.watch.board_page import render, write
from seawall.watch.board_settings import BoardSettings, Group, PartySettings, ProviderFeeds
from seawall.watch.feeds.feed import FeedSettings

NOW_NS = 1_760_950_000 * 1_000_000_000
LINKS = {"en": "index.html", "ar": "ar.html"}
PARTIES = (
    PartySettings(name="AWS", group=Group.CLOUD),
    PartySettings(name="Cloudflare", group=Group.NETWORK),
    PartySettings(name="A", group=Group.EXCHANGE, runs_on=("AWS/tokyo", "Cloudflare")),
    PartySettings(name="B", group=Group.EXCHANGE, runs_on=("AWS/tokyo",)),
    PartySettings(name="C", group=Group.WALLET, runs_on=("AWS/tokyo",)),
    PartySettings(name="D", group=Group.EXCHANGE, runs_on=("AWS/virginia", "Cloudflare")),
    PartySettings(name="E", group=Group.ANALYTICS),
    PartySettings(name="F", group=Group.ANALYTICS),
)
SETTINGS = BoardSettings(
    party=PARTIES,
    feed=tuple(
        FeedSettings(name=party.name.lower(), kind="statuspage", party=party.name)
        for party in PARTIES
    ),
    provider=(ProviderFeeds(name="amber", feeds=("aws",)),),
)


def readings(story: str, at_ns: int = NOW_NS) -> list[Reading]:
    """Lines of `party health minutes-ago region`; who is not named is calm; `?` is unknown."""
    told: dict[str, tuple[list[Fact], list[Uncertain]]] = {p.name: ([], []) for p in PARTIES}
    for number, line in enumerate(filter(None, map(str.strip, story.splitlines()))):
        party, word, *rest = line.split()
        if word == "?":
            told[party][1].append(Uncertain(doubt=Doubt.UNREACHED, detail=""))
            continue
        told[party][0].append(
            Fact(
                feed=party.lower(),
                party=party,
                incident_id=str(number),
                title=f"{party} is {word}",
                health=Health(word),
                began_ns=NOW_NS - int(rest[0]) * MINUTE_NS if rest[0] != "-" else None,
                regions=tuple(rest[1:]),
            )
        )
    return [
        conclude(
            feed=party.lower(), party=party, at_ns=at_ns, facts=tuple(facts), doubts=tuple(doubts)
        )
        for party, (facts, doubts) in told.items()
    ]


def board(story: str) -> Board:
    return assess(SETTINGS, readings(story), NOW_NS)


def causes(story: str) -> list[tuple[str, str, set[str]]]:
    return [
        (each.confidence.value, each.cause, set(each.parties)) for each in board(story).together
    ]


@pytest.mark.parametrize(
    "story, told",
    [
        ("", []),
        ("A down 10", []),
        # The provider tells late: half an hour after its customers fell.
        (
            """
            AWS degraded 30 tokyo
            A down 60
            B degraded 65
            """,
            [("likely", "AWS/tokyo", {"AWS", "A", "B"})],
        ),
        ("AWS degraded 30 tokyo\nA down 20", [("possible", "AWS/tokyo", {"AWS", "A"})]),
        # Another region's trouble explains nothing here.
        (
            "AWS degraded 30 virginia\nA down 20\nB down 25\nC down 30",
            [("suspected", "AWS/tokyo", {"A", "B", "C"})],
        ),
        ("AWS ?\nA down 20\nB down 25\nC down 30", [("suspected", "AWS/tokyo", {"A", "B", "C"})]),
        # Two are too few to suspect somebody who tells of nothing.
        ("A down 20\nB down 25", [("none", "", {"A", "B"})]),
        # Old trouble of one and new trouble of another are not together.
        ("A down 2000\nB down 25", []),
        ("AWS degraded 30 tokyo\nA down 2000\nB down 20\nC down 10",
         [("likely", "AWS/tokyo", {"AWS", "B", "C"})]),
        # Who has old and new trouble belongs to the new, too.
        ("AWS degraded 30 tokyo\nA degraded 9000\nA down 25\nB down 20",
         [("likely", "AWS/tokyo", {"AWS", "A", "B"})]),
        ("A maintenance 20\nB maintenance 25\nC down 20", []),
        # Two causes at once.
        (
            """
            AWS down 50 tokyo
            Cloudflare down 50
            A down 45
            B down 45
            D down 40
            """,
            [
                # All who run on it and can be seen; of Tokyo's one is well.
                ("likely", "Cloudflare", {"Cloudflare", "A", "D"}),
                ("possible", "AWS/tokyo", {"AWS", "B"}),
            ],
        ),
        ("E down 10\nF down 30", [("none", "", {"E", "F"})]),
    ],
)  # fmt: skip
def test_causes(story: str, told: list[tuple[str, str, set[str]]]) -> None:
    assert causes(story) == told


def test_what_is_not_seen_is_neither_trouble_nor_calm() -> None:
    found = board("A ?\nB down 5")
    healths = {party.name: party.health for party in found.parties}
    assert (healths["A"], healths["B"], healths["C"]) == (Health.UNKNOWN, Health.DOWN, Health.OK)
    missing = assess(SETTINGS, [], NOW_NS)
    assert {party.health for party in missing.parties} == {Health.UNKNOWN}
    assert missing.providers[0].health is Health.UNKNOWN


def test_what_only_customers_are_told_is_no_doubt_about_the_rest() -> None:
    withheld = conclude(
        feed="a/withdrawals", party="A", at_ns=NOW_NS, facts=(),
        doubts=(Uncertain(doubt=Doubt.NOT_PUBLIC, detail=""),),
    )  # fmt: skip
    found = assess(SETTINGS, [*readings(""), withheld], NOW_NS)
    assert next(party.health for party in found.parties if party.name == "A") is Health.OK
    alone = assess(SETTINGS, [withheld], NOW_NS)
    assert next(party.health for party in alone.parties if party.name == "A") is Health.UNKNOWN


def test_trouble_without_a_beginning_began_when_it_was_first_seen() -> None:
    onsets = Onsets()
    assess(SETTINGS, readings("A down -"), NOW_NS, onsets)
    later = NOW_NS + 30 * MINUTE_NS
    found = assess(SETTINGS, readings("A down -", later), later, onsets)
    party = next(party for party in found.parties if party.name == "A")
    assert party.since_ns == NOW_NS
    assess(SETTINGS, readings("", later), later, onsets)
    again = assess(SETTINGS, readings("A down -", later), later, onsets)
    assert next(p for p in again.parties if p.name == "A").since_ns == later


def test_providers_are_as_their_feeds_tell() -> None:
    assert board("AWS degraded 5 tokyo").providers[0].health is Health.DEGRADED


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("story", ["", "A ?", "AWS down 9 tokyo\nA down 5\nB down 5\nE ?"])
def test_the_page_is_whole_in_both_languages(language: str, story: str) -> None:
    page = render(board(story), language, links=LINKS)
    assert f'dir="{"rtl" if language == "ar" else "ltr"}"' in page
    assert "<script" not in page
    for party in PARTIES:
        assert f"<bdi>{party.name}</bdi>" in page
    assert ('data-confidence="likely"' in page) == ("AWS" in story)


def test_a_strangers_text_is_only_text() -> None:
    evil = readings("A down 5")
    fact = msgspec.structs.replace(
        evil[2].facts[0], title="<script>alert(1)</script>", url="javascript:alert(1)"
    )
    evil[2] = msgspec.structs.replace(evil[2], facts=(fact,))
    page = render(assess(SETTINGS, evil, NOW_NS), "en", links=LINKS)
    assert "<script" not in page


def test_pages_are_written_whole(tmp_path: Path) -> None:
    write(board("A down 5"), tmp_path / "site")
    written = {path.name for path in (tmp_path / "site").iterdir()}
    assert written == {"index.html", "ar.html", "board.json"}
    again = msgspec.json.decode((tmp_path / "site" / "board.json").read_bytes(), type=Board)
    assert again.together == ()
    assert again.health is Health.DOWN


def test_confidence_has_words_in_both_languages() -> None:
    from seawall.watch.board_words import ARABIC, ENGLISH

    assert ENGLISH.keys() == ARABIC.keys()
    for word in (*Confidence, *Health, *Group, *Doubt):
        assert word in ENGLISH
    assert all(f"{each}." in ENGLISH for each in Confidence)
