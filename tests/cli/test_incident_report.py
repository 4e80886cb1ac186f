"""`seawall incident classify` and `report`: what is unknown stays so, and drafts are files."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.exchange import running_exchange
from tests.status.regulators.facts import CALM, ns
from tests.status.sample import outage
from tests.status.serving import served

from seawall.cli.main import run
from seawall.cli.running import Running, write_running
from seawall.gateway.operator import TOKEN_FILE
from seawall.model.control_rows import Incident, Update
from seawall.model.posture import IncidentPhase, Severity

RECORDED = Incident(
    number=7,
    severity=Severity.CRITICAL,
    phase=IncidentPhase.MONITORING,
    kind="provider_lost",
    facts={"provider": "amber"},
    services=["market/BTCUSDT"],
    dependencies=["provider/amber"],
    person="somebody inside",
    opened_ns=ns("2026-05-07T10:02:00Z"),
    updates=[
        Update(number=1, at_ns=ns("2026-05-07T10:03:00Z"), phase=IncidentPhase.INVESTIGATING,
               kind="words", words_en="We look into it.", person="somebody inside"),
    ],
)  # fmt: skip
MAJOR = CALM.replace("affected = 0\ntotal = 1000", "affected = 900\ntotal = 1000").replace(
    "member_states = []", 'member_states = ["DE", "FR"]'
)

Ask = Callable[..., Any]


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Return what runs a command with --json; facts are handed in as text."""

    def ask(verb: str, *words: str, facts: str, code: int = 0) -> Any:
        file = tmp_path / "facts.toml"
        file.write_text(facts)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run(["incident", verb, *words, "--facts", str(file), "--json"])
        told = json.loads(capsys.readouterr().out)
        assert ended.value.code == code, told
        return told

    return ask


def on(data: Path, url: str) -> tuple[str, str]:
    """Make a directory look like that of an exchange which listens there."""
    data.mkdir(exist_ok=True)
    (data / TOKEN_FILE).write_text("a test's own\n")
    write_running(data, Running(pid=os.getpid(), port=1, url=url))
    return ("--data", str(data))


def test_a_recorded_incident_is_classified(tmp_path: Path, ask: Ask) -> None:
    row = {"seawall/v1/operator/incidents/7": msgspec.json.encode(RECORDED)}
    with served(row) as exchange:
        data = on(tmp_path / "data", exchange.url)
        major = ask("classify", "7", *data, facts=MAJOR)
        calm = ask("classify", "7", *data, facts=CALM)
        blank = ask("classify", "7", *data, facts="")
        refused = ask("classify", "8", *data, facts=MAJOR, code=4)
    assert major["classification"]["outcome"] == "major"
    assert calm["classification"]["outcome"] == "not_major"
    # The same incident, and nobody has said anything: nothing is ruled out.
    assert blank["classification"]["outcome"] == "cannot_tell"
    assert {"services.critical_function", "access.malicious", "geography.member_states"} <= set(
        blank["classification"]["deciding"]
    )
    sources = [each["source"] for each in major["classification"]["criteria"]]
    assert "(EU) 2024/1772 Art. 9(1)" in sources
    assert all(sources)
    initial = next(each for each in major["timers"] if each["name"] == "initial")
    # 24 hours from awareness, which is stated in the facts.
    assert initial["due"] == "2026-05-08T10:05:00.000Z"
    assert initial["needed"] == "yes"
    assert not [each for each in calm["timers"] if each["name"] == "initial"]
    assert "refused" in refused["error"]


def test_each_fact_taken_away_leaves_no_minor_incident_by_mistake(tmp_path: Path, ask: Ask) -> None:
    """With one fact missing an incident may still be not major, but only if that fact is idle."""
    row = {"seawall/v1/operator/incidents/7": msgspec.json.encode(RECORDED)}
    # One threshold is met, so that every other one would make it major.
    near = CALM.replace("member_states = []", 'member_states = ["DE", "FR"]')
    deciding = ("affected = 0\ntotal = 1000", "media = false", "integrity = false", "loss_eur = 0")
    with served(row) as exchange:
        data = on(tmp_path / "data", exchange.url)
        assert ask("classify", "7", *data, facts=near)["classification"]["outcome"] == "not_major"
        for fact in deciding:
            assert fact in near
            told = ask("classify", "7", *data, facts=near.replace(fact, ""))
            assert told["classification"]["outcome"] == "cannot_tell", fact
            assert told["classification"]["deciding"]


@pytest.mark.parametrize("kind", ["initial", "intermediate", "final"])
def test_drafts_are_files_that_only_their_owner_reads(tmp_path: Path, ask: Ask, kind: str) -> None:
    row = {"seawall/v1/operator/incidents/7": msgspec.json.encode(RECORDED)}
    out = tmp_path / "drafts"
    with served(row) as exchange:
        data = on(tmp_path / "data", exchange.url)
        told = ask("report", "7", "--kind", kind, "--out", str(out), *data, facts=MAJOR)
    files = sorted(Path(each) for each in told.pop("files"))
    assert files == sorted(out.iterdir())
    assert [each.suffix for each in files] == [".html", ".json"]
    assert all(each.name.startswith(f"incident-7-{kind}-2") for each in files)
    assert all(stat.S_IMODE(each.stat().st_mode) == 0o600 for each in files)
    page, body = (each.read_text("utf-8") for each in files)
    assert json.loads(body) == told
    assert told["kind"] == kind
    assert "We look into it." in told["report"]["incident"]["incidentDescription"]
    # Who wrote a word stays inside.
    assert "somebody inside" not in page + body
    assert told["missing"]


def test_a_copy_of_the_status_document_serves_while_the_exchange_is_gone(
    tmp_path: Path, ask: Ask
) -> None:
    document = outage()
    copy = tmp_path / "document.json"
    copy.write_bytes(msgspec.json.encode(document))
    number = str(document.incidents[0].number)
    told = ask("classify", number, "--document", str(copy), facts="")
    assert told["incident"] == document.incidents[0].number
    wrong = ask("classify", "99", "--document", str(copy), facts="", code=2)
    assert number in wrong["advice"]
    assert ask("classify", number, "--data", str(tmp_path / "none"), facts="", code=3)["error"]


def test_a_wrong_fact_is_named_with_its_line(ask: Ask) -> None:
    told = ask("classify", "7", facts="[clients]\naffected = -1\n", code=2)
    assert "facts.toml:2: clients.affected" in told["error"]


def test_people_read_a_table_with_the_articles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy, facts = tmp_path / "document.json", tmp_path / "facts.toml"
    copy.write_bytes(msgspec.json.encode(outage()))
    facts.write_text("[clients]\naffected = 1\n")
    number = str(outage().incidents[0].number)
    with pytest.raises(SystemExit) as ended:
        run(["incident", "classify", number, "--document", str(copy), "--facts", str(facts)])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    for words in ("cannot be told yet", "Art. 9(3)", "(EU) 2025/301 Art. 5(1)(a)", "no legal"):
        assert words in told
    assert "not major" not in told


def test_an_incident_of_a_running_exchange(tmp_path: Path, ask: Ask) -> None:
    with running_exchange(tmp_path / "data", busy=False) as exchange:
        write_running(exchange.data, Running(pid=os.getpid(), port=1, url=exchange.url))
        data = ("--data", str(exchange.data))
        with pytest.raises(SystemExit) as ended:
            run(["incident", "open", "Trading is slow", "--person", "Ann", *data])
        assert ended.value.code == 0
        told = ask("report", "1", "--kind", "initial", "--out", str(tmp_path / "out"), *data,
                   facts=MAJOR)  # fmt: skip
    assert told["incident"] == 1
    assert "Trading is slow" in told["report"]["incident"]["incidentDescription"]
    assert told["classification"]["outcome"] == "major"
