"""Every overlay renders, fits Kubernetes' own schemas, and keeps the house's rules."""

import subprocess
from typing import Any

import kubernetes_validate
import pytest
from tests.deploy.tools import DEPLOY, PROVIDERS, brought, documents

SCHEMAS = "1.33"
OVERLAYS = DEPLOY / "kubernetes" / "overlays"


@pytest.fixture(scope="module")
def rendered() -> dict[str, list[dict[str, Any]]]:
    found = {}
    for provider in PROVIDERS:
        ran = subprocess.run(
            [brought("kubectl"), "kustomize", str(OVERLAYS / provider)],
            check=True,
            capture_output=True,
            text=True,
        )
        assert not ran.stderr, "nothing that is given up in newer versions"
        found[provider] = documents(ran.stdout)
    return found


def _of(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def test_there_is_an_overlay_for_each_provider() -> None:
    assert sorted(path.name for path in OVERLAYS.iterdir()) == sorted(PROVIDERS)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_objects_fit_the_schemas(rendered: dict[str, list[dict[str, Any]]], provider: str) -> None:
    for each in rendered[provider]:
        kubernetes_validate.validate(each, SCHEMAS, strict=True)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_has_one_member_one_node_and_one_watcher(
    rendered: dict[str, list[dict[str, Any]]], provider: str
) -> None:
    objects = rendered[provider]
    sets, budgets = _of(objects, "StatefulSet"), _of(objects, "PodDisruptionBudget")
    assert set(sets) == {"etcd", "node", "watcher"}
    assert set(budgets) == {"etcd", "node"}
    for each in sets.values():
        assert each["spec"]["replicas"] == 1
        (claim,) = each["spec"]["volumeClaimTemplates"]
        assert claim["spec"]["storageClassName"]
    for name in budgets:
        each = sets[name]
        assert budgets[name]["spec"]["minAvailable"] == 1
        selector = each["spec"]["selector"]["matchLabels"]
        labels = each["spec"]["template"]["metadata"]["labels"]
        assert selector.items() <= labels.items()
        assert budgets[name]["spec"]["selector"]["matchLabels"] == selector
        (apart,) = each["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"].values()
        assert apart[0]["labelSelector"]["matchLabels"].items() <= labels.items()
    (named,) = (
        each["data"]["name"]
        for name, each in _of(objects, "ConfigMap").items()
        if name.startswith("provider-")
    )
    assert named == provider


@pytest.mark.parametrize("provider", PROVIDERS)
def test_containers_have_no_rights_to_spare_and_are_asked_whether_they_live(
    rendered: dict[str, list[dict[str, Any]]], provider: str
) -> None:
    for each in _of(rendered[provider], "StatefulSet").values():
        pod = each["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not pod["automountServiceAccountToken"]
        (container,) = pod["containers"]
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"]
        assert not context["allowPrivilegeEscalation"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert {"startupProbe", "livenessProbe"} <= set(container)
        assert container["resources"]["limits"]["memory"]
        assert not container["image"].endswith(":latest")
        mounted = {volume["name"] for volume in container["volumeMounts"]}
        claims = {claim["metadata"]["name"] for claim in each["spec"]["volumeClaimTemplates"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]} | claims


@pytest.mark.parametrize("provider", PROVIDERS)
def test_configuration_that_is_mounted_is_there(
    rendered: dict[str, list[dict[str, Any]]], provider: str
) -> None:
    maps = _of(rendered[provider], "ConfigMap")
    for each in _of(rendered[provider], "StatefulSet").values():
        pod = each["spec"]["template"]["spec"]
        for volume in pod["volumes"]:
            if "configMap" in volume:
                assert volume["configMap"]["name"] in maps
        for variable in pod["containers"][0]["env"]:
            if "valueFrom" in variable:
                assert variable["valueFrom"]["configMapKeyRef"]["name"] in maps


@pytest.mark.parametrize("provider", PROVIDERS)
def test_services_and_network_policies_meet_the_ports(
    rendered: dict[str, list[dict[str, Any]]], provider: str
) -> None:
    objects = rendered[provider]
    ports = {
        name: {port["name"]: port["containerPort"] for port in container.get("ports", ())}
        for name, each in _of(objects, "StatefulSet").items()
        for container in each["spec"]["template"]["spec"]["containers"]
    }
    for name, service in _of(objects, "Service").items():
        of = service["spec"]["selector"]["app.kubernetes.io/name"]
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports[of]), name
        if name.endswith("-between"):
            assert service["metadata"]["annotations"], "not open to the world"
    policies = _of(objects, "NetworkPolicy")
    assert policies["nothing"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name in ("etcd", "node"):
        let_in = {
            port["port"] for rule in policies[name]["spec"]["ingress"] for port in rule["ports"]
        }
        assert let_in == set(ports[name]), name
    assert not ports["watcher"]
    assert "ingress" not in policies["watcher"]["spec"], "nothing comes in"
