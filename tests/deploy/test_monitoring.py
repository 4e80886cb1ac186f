"""Alerts and dashboards: their tests pass, and they ask for what a node and etcd really export."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.deploy.tools import DEPLOY, ROOT, brought
from tests.node.cluster import member, topology_of
from tests.tools import program

from seawall.gateway.app import create_app
from seawall.gateway.settings import GatewaySettings
from seawall.lab.etcd import EtcdCluster

RULES = DEPLOY / "prometheus" / "rules" / "seawall.yml"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
PAGE = ROOT / "docs" / "operating" / "monitoring.md"
NAMES = re.compile(r"\b(?:seawall|etcd)_[a-z0-9_]+")
ONLY_NEWER_ETCD: frozenset[str] = frozenset()
"""Metrics that Debian's etcd does not have and a current one does."""


def _alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _panels() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            yield f"{path.stem}: {panel['title']}", panel


def _asked() -> set[str]:
    texts = [rule["expr"] for rule in _alerts()]
    texts += [target["expr"] for _, panel in _panels() for target in panel.get("targets", ())]
    texts.append(DASHBOARDS[0].read_text("utf-8"))
    tests = yaml.safe_load((RULES.parents[1] / "tests" / "seawall_test.yml").read_text("utf-8"))
    texts += [each["series"] for test in tests["tests"] for each in test["input_series"]]
    return {name for text in texts for name in NAMES.findall(text)}


def _exported(text: str) -> set[str]:
    """Return the names under which the families of a `/metrics` are asked for."""
    found: set[str] = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        ends = ("_bucket", "_count", "_sum") if kind == "histogram" else ("",)
        found |= {name + end for end in ends}
    return found


def test_promtool_takes_configuration_and_rules() -> None:
    promtool = brought("promtool")
    configuration = DEPLOY / "prometheus" / "prometheus.yml"
    subprocess.run([promtool, "check", "config", str(configuration)], check=True)


def test_the_alerts_say_what_their_tests_expect() -> None:
    tests = sorted((DEPLOY / "prometheus" / "tests").glob("*.yml"))
    assert tests
    subprocess.run([brought("promtool"), "test", "rules", *map(str, tests)], check=True)


def test_each_alert_is_explained_and_nothing_else() -> None:
    alerts = _alerts()
    headings = re.findall(r"^### (\w+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [rule["alert"] for rule in alerts] == headings, "in one order, in rules and page"
    for rule in alerts:
        path, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert (ROOT / path).is_file()
        assert anchor == rule["alert"].lower()
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}


def test_dashboards_are_whole() -> None:
    uids = [json.loads(path.read_text("utf-8"))["uid"] for path in DASHBOARDS]
    assert len(set(uids)) == len(uids) > 0
    for title, panel in _panels():
        if panel["type"] != "row":
            assert panel["targets"], title
            assert panel["datasource"]["uid"] == "${datasource}", title
            assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24, title


async def test_every_metric_that_is_asked_for_is_exported(tmp_path: Path) -> None:
    program("etcd")
    etcd = EtcdCluster.local(tmp_path / "etcd")
    await etcd.start()
    try:
        topology = topology_of(etcd)
        async with AsyncExitStack() as stack:
            node = await stack.enter_async_context(member(topology, "amber", tmp_path))
            app = create_app(node, GatewaySettings(data=tmp_path / "amber"))
            stack.push_async_callback(app.close)
            client = await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(app=app), base_url="http://exchange"
                )
            )
            seawall = (await client.get("/metrics")).text
            async with httpx.AsyncClient(trust_env=False) as own:
                of_etcd = (await own.get(f"http://{etcd.members[0].client}/metrics")).text
    finally:
        await etcd.stop()
    asked = _asked()
    assert asked - _exported(seawall) - _exported(of_etcd) == ONLY_NEWER_ETCD
    assert len(asked) > 30


@pytest.mark.parametrize("name", ["seawall_no_such_thing", "seawall_requests"])
def test_a_metric_that_is_not_exported_is_found(name: str) -> None:
    exported = _exported("# TYPE seawall_requests_total counter\n# TYPE up gauge\n")
    assert name not in exported
