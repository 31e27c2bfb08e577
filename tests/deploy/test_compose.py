"""docker-compose.yml without an engine: the specification, our rules, and that the rules bite."""

from __future__ import annotations

import ast
import copy
import json
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path, PurePosixPath

import pytest

from tests.deploy.rules import (
    Compose,
    environment,
    interpolate,
    load,
    required_variables,
    services,
    violations,
)
from tests.quality.discovery import ROOT
from tests.quality.discovery import TELEMETRY_OFF as OFF

TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
MADE = runpy.run_path(str(ROOT / "deploy" / "new_env.py"))["new_env"]
YOURS = {"AIRFLOW_CONN_FLIGHTS_SOURCE": '{"conn_type": "postgres", "host": "db.example.org"}'}
ENV = MADE() | YOURS


@pytest.fixture
def compose() -> Compose:
    return load(TEXT)


def test_compose_file_keeps_every_rule(compose: Compose) -> None:
    assert violations(compose, ENV) == []


def test_every_secret_can_be_made_and_none_is_made_for_nothing() -> None:
    assert required_variables(TEXT) == set(ENV)


def test_a_missing_secret_stops_the_start() -> None:
    without = {name: value for name, value in ENV.items() if name != "REDIS_PASSWORD"}
    with pytest.raises(KeyError, match=r"REDIS_PASSWORD: run deploy/new_env\.py"):
        interpolate(TEXT, without)


def test_two_sets_of_secrets_share_nothing() -> None:
    assert not set(MADE().values()) & set(MADE().values())


def test_secrets_are_safe_inside_an_address() -> None:
    inside = {n: v for n, v in MADE().items() if n != "AIRFLOW_FERNET_KEY"}
    assert all(re.fullmatch(r"[0-9a-f]{48}", value) for value in inside.values())


def test_fernet_key_is_one() -> None:
    from cryptography.fernet import Fernet

    assert Fernet(MADE()["AIRFLOW_FERNET_KEY"]).encrypt(b"text")


def test_versions_are_those_of_the_constraints(compose: Compose) -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    found = re.search(r"^mlflow==(\S+)$", pins, re.MULTILINE)
    assert found
    wanted = f"ghcr.io/mlflow/mlflow:v{found[1]}-full"
    assert {services(compose)[name]["image"] for name in ("mlflow", "mlflow-init")} == {wanted}


def test_telemetry_is_off_in_every_airflow_and_mlflow_service(compose: Compose) -> None:
    for name, service in services(compose).items():
        wanted = {k: v for k, v in OFF.items() if name.startswith("airflow")}
        if name.startswith("mlflow"):
            wanted = {key: OFF[key] for key in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")}
        for key, values in wanted.items():
            assert environment(service).get(key) in values, f"{name}: {key}"


def test_no_worker_holds_the_keys_of_the_object_store(compose: Compose) -> None:
    holders = {
        name
        for name, service in services(compose).items()
        if "AWS_SECRET_ACCESS_KEY" in environment(service)
    }
    assert holders == {"mlflow", "mlflow-init", "objects"}


def test_the_api_server_reads_the_reports_of_the_lake(compose: Compose) -> None:
    server = services(compose)["airflow-api-server"]
    connection = json.loads(environment(server)["AIRFLOW_CONN_LAKE_DEFAULT"])
    assert f"lake:{connection['extra']['path']}:ro" in server["volumes"]


def test_workers_import_before_they_fork(compose: Compose) -> None:
    worker = environment(services(compose)["airflow-worker"])
    (name,) = json.loads(worker["AIRFLOW__CELERY__EXTRA_CELERY_CONFIG"])["imports"]
    subprocess.run(
        [sys.executable, "-c", f"import {name}, sys; assert 'mlflow.sklearn' in sys.modules"],
        check=True,
    )


def test_secrets_of_tasks_are_with_the_workers(compose: Compose) -> None:
    for name, service in services(compose).items():
        held = {key for key in environment(service) if key.startswith("AIRFLOW_CONN_")}
        of_tasks = {
            f"AIRFLOW_CONN_{c}"
            for c in ("MLFLOW_DEFAULT", "LEDGER_DEFAULT", "STUDIES_DEFAULT", "FLIGHTS_SOURCE")
        }
        assert held & of_tasks == (of_tasks if name == "airflow-worker" else set()), name


def test_each_database_has_a_user_of_its_own_and_a_connection(compose: Compose) -> None:
    made = (ROOT / "deploy" / "postgres" / "databases.sh").read_text(encoding="utf-8")
    (line,) = re.findall(r"^for name in (.+); do$", made, re.MULTILINE)
    held = environment(services(compose)["postgres"])
    assert {f"{name.upper()}_DB_PASSWORD" for name in line.split()} < set(held)
    worker = environment(services(compose)["airflow-worker"])
    for name in ("ledger", "studies"):
        connection = json.loads(interpolate(worker[f"AIRFLOW_CONN_{name.upper()}_DEFAULT"], ENV))
        assert (connection["schema"], connection["login"]) == (name, name)
        assert connection["password"] == ENV[f"{name.upper()}_DB_PASSWORD"]


def test_workers_alone_share_the_key_that_evidence_is_signed_with(compose: Compose) -> None:
    option, volume = "AIRFLOW__MLOPS__EVIDENCE_KEY", "evidence-key:/var/lib/mlops/keys"
    for name, service in services(compose).items():
        signs = name == "airflow-worker"
        assert (option in environment(service), volume in service.get("volumes", ())) == (
            signs,
            signs,
        ), name
    worker = services(compose)["airflow-worker"]
    assert environment(worker)[option].startswith(f"{volume.partition(':')[2]}/")
    assert "/var/lib/mlops/keys" in (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")


def test_the_image_has_what_packs_and_searches_need() -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    assert set(re.findall(r"--extra (\w+)", text)) >= {"cluster", "evidence", "tuning"}


def test_mlflow_asks_for_a_login(compose: Compose) -> None:
    server, worker = (services(compose)[name] for name in ("mlflow", "airflow-worker"))
    assert "--app-name=mlops" in server["command"]
    connection = json.loads(environment(worker)["AIRFLOW_CONN_MLFLOW_DEFAULT"])
    served = environment(server)
    assert connection["login"] == served["MLOPS_MLFLOW_USERNAME"]
    assert connection["password"] == served["MLOPS_MLFLOW_PASSWORD"]
    (hosts,) = [word for word in server["command"] if word.startswith("--allowed-hosts=")]
    assert f"{connection['host']}:{connection['port']}" in hosts
    assert "*" not in hosts


def test_mlflows_image_finds_the_app_with_the_login(compose: Compose, tmp_path: Path) -> None:
    site = "/opt/mlops/app"
    server = services(compose)["mlflow"]
    assert environment(server)["PYTHONPATH"] == site
    for volume in server["volumes"]:
        source, target, mode = volume.split(":")
        assert mode == "ro"
        shutil.copytree(ROOT / source, tmp_path / PurePosixPath(target).relative_to(site))
    (found,) = [
        point
        for distribution in distributions(path=[str(tmp_path)])
        for point in distribution.entry_points
    ]
    assert (found.group, found.name) == ("mlflow.app", "mlops")
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert ours["entry-points"]["mlflow.app"] == {"mlops": found.value}
    # The rest of this project is not there: the package may import the library, MLflow and itself.
    for file in (tmp_path / found.module.replace(".", "/")).glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                first = str(node.module).partition(".")[0]
                known = first in {"mlflow", *sys.stdlib_module_names}
                assert known or str(node.module).startswith(found.module), f"{file}: {node.module}"


def test_state_services_are_not_published(compose: Compose) -> None:
    assert compose["networks"]["state"] == {"internal": True}
    for name in ("postgres", "redis", "objects"):
        assert services(compose)[name]["networks"] == ["state"]
        assert "ports" not in services(compose)[name]


MUTATIONS: dict[str, Callable[[dict[str, dict[str, object]]], object]] = {
    "misspelt healthcheck": lambda s: s["redis"]["healthcheck"].update(intervall="5s"),  # type: ignore[attr-defined]
    "unknown key": lambda s: s["redis"].update(imagine="x"),
    "bad condition": lambda s: s["mlflow"].update(
        depends_on={"postgres": {"condition": "service_happy"}}
    ),
    "bad restart": lambda s: s["redis"].update(restart="sometimes"),
    "no restart": lambda s: s["airflow-scheduler"].pop("restart"),
    "no healthcheck": lambda s: s["airflow-triggerer"].pop("healthcheck"),
    "impossible port": lambda s: s["mlflow"].update(ports=["127.0.0.1:99999:5000"]),
    "public port": lambda s: s["mlflow"].update(ports=["5000:5000"]),
    "public address": lambda s: s["mlflow"].update(ports=["0.0.0.0:5000:5000"]),
    "missing service": lambda s: s["mlflow"].update(
        depends_on={"nobody": {"condition": "service_started"}}
    ),
    "undeclared volume": lambda s: s["redis"].update(volumes=["elsewhere:/data"]),
    "unused volume": lambda s: s["redis"].pop("volumes"),
    "undeclared network": lambda s: s["redis"].update(networks=["elsewhere"]),
    "undeclared secret": lambda s: s["redis"].update(secrets=["nothing"]),
    "cycle": lambda s: s["redis"].update(
        depends_on={"airflow-scheduler": {"condition": "service_healthy"}}
    ),
    "literal password": lambda s: s["redis"].update(environment={"REDIS_PASSWORD": "redis"}),
    "password with a default": lambda s: s["redis"].update(
        environment={"REDIS_PASSWORD": "${REDIS_PASSWORD:-redis}"}
    ),
    "password in an address": lambda s: s["redis"].update(
        environment={"URL": "redis://:redis@redis"}
    ),
    "driver left open": lambda s: s["redis"].update(environment={"URL": "postgresql://postgres"}),
    "floating image": lambda s: s["redis"].update(image="redis:latest"),
    "root": lambda s: s["airflow-worker"].pop("user"),
    "capabilities": lambda s: s["airflow-worker"].pop("cap_drop"),
    "more capabilities": lambda s: s["postgres"].update(cap_add=["SYS_ADMIN"]),
    "writable root": lambda s: s["mlflow"].pop("read_only"),
    "privileges": lambda s: s["mlflow"].pop("security_opt"),
    "host network": lambda s: s["mlflow"].update(network_mode="host"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_rules_bite(name: str, compose: Compose) -> None:
    broken = copy.deepcopy(compose)
    MUTATIONS[name](broken["services"])
    assert violations(broken, ENV), f"nobody noticed: {name}"
