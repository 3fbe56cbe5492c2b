"""The overlays of `deploy/kubernetes`, as kustomize builds them."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from prefect.settings.models.root import Settings as PrefectSettings

from tests.conftest import LONGEST_S, Configure
from tests.deploy.forms import DEPLOY, secret_names, unknown, variables_in

Document = dict[str, Any]

KUBERNETES = DEPLOY / "kubernetes"
OLDEST, NEWEST = "1.29", "1.37"
PROGRAMS = ("Deployment", "Job")


@pytest.fixture(scope="module", params=["trial", "production"])
def documents(request: pytest.FixtureRequest) -> list[Document]:
    """Return what an overlay is built to."""
    kustomize = shutil.which("kustomize")
    assert kustomize, "kustomize is missing: apt-get install kustomize"
    command = [kustomize, "build", str(KUBERNETES / "overlays" / request.param)]
    built = subprocess.run(command, check=True, capture_output=True, timeout=LONGEST_S)
    return list(yaml.safe_load_all(built.stdout))


def of_kind(documents: list[Document], *kinds: str) -> dict[str, Document]:
    return {each["metadata"]["name"]: each for each in documents if each["kind"] in kinds}


def pod_of(program: Document) -> Document:
    pod: Document = program["spec"]["template"]["spec"]
    return pod


def container_of(program: Document) -> Document:
    (container,) = pod_of(program)["containers"]
    assert isinstance(container, dict)
    return container


def environment_of(documents: list[Document], program: Document) -> dict[str, str]:
    maps = of_kind(documents, "ConfigMap")
    container = container_of(program)
    assert "env" not in container
    names = [each["configMapRef"]["name"] for each in container["envFrom"]]
    return {name: value for each in names for name, value in maps[each]["data"].items()}


def using(documents: list[Document], secret: str) -> Iterator[Document]:
    for program in of_kind(documents, *PROGRAMS).values():
        (volume,) = [each for each in pod_of(program)["volumes"] if each["name"] == "secrets"]
        names = {each["secret"]["name"] for each in volume.get("projected", {}).get("sources", ())}
        if secret in names | {volume.get("secret", {}).get("secretName")}:
            yield program


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_each_document_is_valid(documents: list[Document], version: str) -> None:
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)


def test_no_document_holds_a_secret(documents: list[Document]) -> None:
    assert of_kind(documents, "Secret") == {}
    for each in of_kind(documents, "ConfigMap").values():
        assert secret_names(each["data"]) == set()


def test_each_variable_is_known(documents: list[Document]) -> None:
    for each in of_kind(documents, "ConfigMap").values():
        assert {name for name in unknown(each["data"]) if not name.endswith(".conf")} == set()


def test_cellar_accepts_the_environment_and_the_secrets(
    configure: Configure, documents: list[Document], secrets: Path, tmp_path: Path
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    for path in [
        *secrets.glob("CELLAR_*"),
        secrets / "ca.pem",
        secrets / "PREFECT_API_AUTH_STRING",
        secrets / "aws-credentials",
    ]:
        shutil.copy(path, given)

    programs = list(using(documents, "cellar"))

    assert {each["metadata"]["name"] for each in programs} == {"receiver", "worker", "migrate"}
    for program in programs:
        mounts = {each["name"]: each["mountPath"] for each in container_of(program)["volumeMounts"]}
        environment = environment_of(documents, program)
        assert environment["CELLAR_SECRETS_DIR"] == mounts["secrets"]
        assert environment["AWS_SHARED_CREDENTIALS_FILE"] == f"{mounts['secrets']}/aws-credentials"
        assert environment["CELLAR_DATA_DIR"] == mounts["data"]
        made = configure(**environment | {"CELLAR_SECRETS_DIR": str(given)})
        assert made.database_location == (secrets / "CELLAR_DATABASE_URL").read_text().strip()


def test_migration_alone_has_the_user_who_owns_the_tables(documents: list[Document]) -> None:
    assert [each["metadata"]["name"] for each in using(documents, "cellar-migrate")] == ["migrate"]


def test_prefect_accepts_the_environment_and_the_secrets(
    monkeypatch: pytest.MonkeyPatch, configure: Configure, documents: list[Document], secrets: Path
) -> None:
    del configure  # it clears Prefect's variables of this process
    programs = list(using(documents, "prefect-server"))

    assert {each["metadata"]["name"] for each in programs} == {"prefect", "prefect-services", "migrate-prefect"}
    for program in programs:
        for name, value in (environment_of(documents, program) | variables_in(secrets / "prefect-server.env")).items():
            monkeypatch.setenv(name, value)
        server = PrefectSettings().server
        assert server.concurrency.lease_storage == "prefect_redis.lease_storage"
        assert server.database.connection_url
        assert server.database.migrate_on_start is False


def test_each_container_is_hardened_and_bounded(documents: list[Document]) -> None:
    for program in of_kind(documents, *PROGRAMS).values():
        pod, container = pod_of(program), container_of(program)
        assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        for kind in ("requests", "limits"):
            assert container["resources"][kind].keys() == {"cpu", "memory", "ephemeral-storage"}


def test_every_program_that_listens_has_three_probes_and_is_spread(documents: list[Document]) -> None:
    listening = [each for each in of_kind(documents, "Deployment").values() if "ports" in container_of(each)]

    assert len(listening) == 3 + ("people" in of_kind(documents, "Deployment"))
    for program in listening:
        container, ports = container_of(program), container_of(program)["ports"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["port"] == ports[0]["name"]
        spread = {each["topologyKey"] for each in pod_of(program)["topologySpreadConstraints"]}
        assert spread == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}


def test_every_selector_finds_its_pods_and_every_named_port_exists(documents: list[Document]) -> None:
    programs = of_kind(documents, *PROGRAMS)
    labels = {each["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"] for each in programs.values()}
    ports = {port["name"] for each in programs.values() for port in container_of(each).get("ports", ())}
    selectors = [*_selectors(documents)]

    assert selectors
    for selector in selectors:
        assert selector <= labels
    for service in of_kind(documents, "Service").values():
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def _selectors(documents: list[Document]) -> Iterator[set[str]]:
    """Yield the names of pods that services, budgets, policies and deployments select."""
    for each in of_kind(documents, "Service").values():
        yield set(each["spec"]["selector"].values())
    for each in [document for document in documents if document["kind"] in ("PodDisruptionBudget", "Deployment")]:
        yield set(each["spec"]["selector"]["matchLabels"].values())
    for each in of_kind(documents, "NetworkPolicy").values():
        rules = [*each["spec"].get("ingress", ()), *each["spec"].get("egress", ())]
        peers = [
            peer["podSelector"]
            for rule in rules
            for key in ("from", "to")
            for peer in rule.get(key, ())
            if "podSelector" in peer
        ]
        for selector in [each["spec"]["podSelector"], *peers]:
            yield set(selector.get("matchLabels", {}).values())
            yield {value for found in selector.get("matchExpressions", ()) for value in found["values"]}


def test_autoscalers_own_the_replicas_of_what_they_scale(documents: list[Document]) -> None:
    programs = of_kind(documents, "Deployment")
    for name, scaler in of_kind(documents, "HorizontalPodAutoscaler").items():
        assert scaler["spec"]["scaleTargetRef"]["name"] == name
        assert "replicas" not in programs[name]["spec"]


def test_workers_are_scaled_by_a_metric_of_the_receiver_that_the_adapter_serves() -> None:
    folder = KUBERNETES / "components" / "autoscaling"
    scalers = {each["metadata"]["name"]: each for each in yaml.safe_load_all((folder / "autoscalers.yaml").read_text())}
    (rule,) = yaml.safe_load((folder / "prometheus-adapter.yaml").read_text())["externalRules"]

    metric = scalers["worker"]["spec"]["metrics"][0]["external"]["metric"]["name"]

    assert metric == rule["name"]["as"]
    assert rule["seriesQuery"].startswith(f"{metric}{{")
    assert f'"{metric}"' in (DEPLOY.parent / "api" / "metrics.py").read_text()
