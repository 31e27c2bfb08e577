"""What `mlops doctor` looks at: each check says fine where it is, and alarm where it is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from typer.testing import CliRunner

from mlops_airflow.cli import app
from mlops_airflow.doctor import (
    Answer,
    Finding,
    configuration,
    connections,
    dag_files,
    examination,
    examine,
    installation,
    metadata,
    sources,
    telemetry,
    worst,
)
from mlops_airflow.hooks.lake import LakeHook
from mlops_airflow.testing.dag_runs import airflow_settings
from tests.unit.orders import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FINE, ALARM, CANNOT_TELL = Answer


@pytest.fixture
def option(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that sets options of Airflow: ``option(core__executor="…")``."""

    def set_them(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv("AIRFLOW__" + name.upper(), value)

    return set_them


def only(findings: Iterable[Finding]) -> Finding:
    (finding,) = findings
    return finding


# --- configuration


@pytest.mark.parametrize(
    ("executor", "database", "answer"),
    [
        ("LocalExecutor", "sqlite:////srv/airflow.db", FINE),
        ("CeleryExecutor", "sqlite:////srv/airflow.db", ALARM),
        ("CeleryExecutor", "postgresql+psycopg2://u:p@db/airflow", FINE),
        ("airflow.executors.local_executor.LocalExecutor", "sqlite:////srv/airflow.db", FINE),
        ("LocalExecutor", "postgresql://u:p@db/airflow", ALARM),
    ],
)
def test_executor_and_database(option: Any, executor: str, database: str, answer: Answer) -> None:
    option(core__executor=executor, database__sql_alchemy_conn=database)
    finding = only(configuration.executor())
    assert finding.answer == answer
    assert bool(finding.fix) == (answer is ALARM)


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        ({}, ALARM),
        ({"core__mp_forkserver_preload": "mlops_airflow.preload"}, ALARM),
        ({"scheduler__mp_start_method": "forkserver"}, ALARM),
        (
            {
                "scheduler__mp_start_method": "forkserver",
                "core__mp_forkserver_preload": "mlops_airflow.preload",
            },
            FINE,
        ),
        (
            {
                "core__mp_start_method": "forkserver",
                "core__mp_forkserver_preload": "deltalake,duckdb,great_expectations,mlflow.sklearn"
                ",pandas,skops.io",
            },
            FINE,
        ),
        (
            {
                "core__executor": "CeleryExecutor",
                "celery__extra_celery_config": '{"imports": ["mlops_airflow.preload"]}',
            },
            FINE,
        ),
        ({"core__executor": "CeleryExecutor"}, ALARM),
        ({"core__executor": "KubernetesExecutor"}, FINE),
        ({"core__executor": "our_house.OwnExecutor"}, CANNOT_TELL),
    ],
)
def test_preload(option: Any, settings: dict[str, str], answer: Answer) -> None:
    option(**settings)
    finding = only(configuration.preload())
    assert finding.answer == answer
    if answer is ALARM:
        assert "mlops_airflow.preload" in finding.fix


def test_the_fix_for_preload_is_one(option: Any) -> None:
    before = only(configuration.preload())
    for word in before.fix.split():
        if "=" in word:
            os.environ.update([word.split("=", 1)])
    try:
        assert only(configuration.preload()).answer is FINE
    finally:
        for word in before.fix.split():
            os.environ.pop(word.split("=", 1)[0], None)


@pytest.mark.parametrize(("wait", "answer"), [("5", ALARM), ("1", FINE), ("soon", CANNOT_TELL)])
def test_slots(option: Any, wait: str, answer: Answer) -> None:
    option(workers__min_heartbeat_interval=wait)
    assert only(configuration.slots()).answer == answer


@pytest.mark.parametrize(("value", "answer"), [("60", FINE), ("-1", ALARM), ("soon", ALARM)])
def test_own_section(option: Any, value: str, answer: Answer) -> None:
    option(mlops__time_limit_s=value)
    finding = only(configuration.own_section())
    assert finding.answer == answer
    assert (finding.fix == "AIRFLOW__MLOPS__TIME_LIMIT_S=1800") == (answer is ALARM)


def test_zones(option: Any) -> None:
    assert only(configuration.zones()).answer is FINE
    option(core__default_timezone="Mars/Olympus")
    assert only(configuration.zones()).answer is ALARM


def test_the_test_buttons_are_off_by_default_and_it_says_how_to_have_them(option: Any) -> None:
    finding = only(configuration.test_buttons())
    assert (finding.answer, finding.fix) == (FINE, "AIRFLOW__CORE__TEST_CONNECTION=Enabled")
    option(core__test_connection="Enabled")
    assert not only(configuration.test_buttons()).fix


@pytest.mark.parametrize(
    ("variables", "answers"),
    [
        ({}, [ALARM, ALARM]),
        ({"MLFLOW_DISABLE_TELEMETRY": "true", "GX_ANALYTICS_ENABLED": "False"}, [FINE, FINE]),
        ({"DO_NOT_TRACK": "1", "GX_ANALYTICS_ENABLED": "true"}, [ALARM, ALARM]),
        ({"DO_NOT_TRACK": "true", "GX_ANALYTICS_ENABLED": "0"}, [FINE, FINE]),
    ],
)
def test_telemetry(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], answers: list[Answer]
) -> None:
    for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "GX_ANALYTICS_ENABLED"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert [one.answer for one in telemetry.telemetry()] == answers


# --- installation


def test_what_is_installed_here_fits() -> None:
    assert only(installation.packages()).answer is FINE
    assert only(installation.python()).answer is not ALARM


@pytest.mark.parametrize(
    ("package", "found", "named"),
    [
        ("celery", "5.7.0", "celery 5.7.0 does not fit <5.7,>=5.6"),
        ("mlflow", "2.22.0", "mlflow 2.22.0 does not fit <4,>=3.17"),
    ],
)
def test_a_package_that_does_not_fit_is_named(
    monkeypatch: pytest.MonkeyPatch, package: str, found: str, named: str
) -> None:
    real = installation.version
    monkeypatch.setattr(
        installation, "version", lambda name: found if name == package else real(name)
    )
    finding = only(installation.packages())
    assert (finding.answer, finding.found) == (ALARM, named)


def test_a_package_that_is_missing_is_named_unless_it_is_optional(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = installation.version

    def lacking(name: str) -> str:
        if name in {"duckdb", "lightgbm", "celery"}:
            raise installation.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(installation, "version", lacking)
    assert only(installation.packages()).found == "duckdb is missing, needed is <3,>=2.0"


def test_the_plugin_is_loaded_once() -> None:
    finding = only(installation.plugin())
    assert finding.answer is FINE, finding
    assert only(installation.provider()).answer is FINE


@pytest.mark.parametrize(("shield", "answer"), [("mlops_airflow/", FINE), ("", ALARM)])
def test_files_of_the_package_in_the_plugins_folder(
    tmp_path: Path, option: Any, shield: str, answer: Answer
) -> None:
    (tmp_path / "mlops_airflow" / "hooks").mkdir(parents=True)
    (tmp_path / "mlops_airflow" / "hooks" / "mlflow.py").touch()
    (tmp_path / ".airflowignore").write_text(f"{shield}\n")
    option(core__plugins_folder=str(tmp_path))
    finding = only(installation.plugins_folder())
    assert finding.answer == answer
    assert (".airflowignore" in finding.fix) == (answer is ALARM)


# --- Dag files


def test_tests_and_packages_in_the_dag_folder_are_run_by_airflow(tmp_path: Path) -> None:
    with airflow_settings(tmp_path, tmp_path / "dags"):
        _look_at_dag_files(tmp_path)


def _look_at_dag_files(tmp_path: Path) -> None:
    assert only(dag_files.dag_files()).answer is ALARM, "no such folder"
    (tmp_path / "dags" / "shop").mkdir(parents=True)
    assert only(dag_files.dag_files()).answer is CANNOT_TELL
    (tmp_path / "dags" / "shop" / "dag.py").write_text("from airflow.sdk import DAG\n")
    assert only(dag_files.dag_files()).answer is FINE
    (tmp_path / "dags" / "shop" / "test_dag.py").write_text("# airflow dag\n")
    finding = only(dag_files.dag_files())
    assert finding.answer is ALARM
    assert "shop/test_dag.py" in finding.found
    (tmp_path / "dags" / ".airflowignore").write_text("**/test_*.py\n")
    assert only(dag_files.dag_files()).answer is FINE


# --- connections


def test_a_connection_that_is_not_defined_is_named_with_an_example(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for check, name in ((connections.lake, "LAKE"), (connections.mlflow, "MLFLOW")):
        monkeypatch.delenv(f"AIRFLOW_CONN_{name}_DEFAULT", raising=False)
        finding = only(check())
        assert finding.answer is ALARM
        assert f"AIRFLOW_CONN_{name}_DEFAULT=" in finding.fix


def test_a_connection_that_is_no_json_is_named_without_its_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", '{"password": "s3cr3t", ')
    finding = only(connections.mlflow())
    assert finding.answer is ALARM
    assert "s3cr3t" not in str(finding)
    assert finding.place == "variable AIRFLOW_CONN_MLFLOW_DEFAULT"


def test_a_lake_is_written_to_and_left_as_it_was(tmp_path: Path, connect: Any) -> None:
    root = tmp_path / "lake"
    root.mkdir(mode=0o700)
    connect("lake_default", conn_type="file", extra={"path": str(root)})
    tried, closed = connections.lake()
    assert (tried.answer, closed.answer) == (FINE, FINE)
    assert "two commits worked" in tried.found
    assert not list(root.iterdir())
    root.chmod(0o755)
    *_, closed = connections.lake()
    assert (closed.answer, closed.fix) == (ALARM, f"chmod o-rwx {root}")


def test_a_lake_that_is_not_there_is_made_later(tmp_path: Path, connect: Any) -> None:
    connect("lake_default", conn_type="file", extra={"path": str(tmp_path / "a" / "lake")})
    assert only(connections.lake()).answer is FINE
    assert not list(tmp_path.iterdir())


def test_the_test_button_says_that_a_source_of_files_must_be_there(
    tmp_path: Path, connect: Any
) -> None:
    connect("lake_default", conn_type="file", extra={"path": str(tmp_path / "gone")})
    usable, text = LakeHook().test_connection()
    assert usable, "a lake is made at its first write"
    assert text.endswith("a source of files must be there: correct its path")
    connect("lake_default", conn_type="file", extra={"path": str(tmp_path)})
    assert "a source" not in LakeHook().test_connection()[1]


@pytest.mark.parametrize("root", ["/proc", "s3://bucket/lake", "{file}"])
def test_what_cannot_be_a_lake(tmp_path: Path, connect: Any, root: str) -> None:
    (tmp_path / "file").touch()
    root = root.format(file=tmp_path / "file")
    connect("lake_default", conn_type="file", extra={"path": root})
    tried, *_ = connections.lake()
    assert tried.answer is ALARM
    assert tried.found.startswith("lake ")


def test_a_file_system_without_hard_links_is_no_place_for_a_lake(
    tmp_path: Path, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    connect("lake_default", conn_type="file", extra={"path": str(tmp_path)})
    tried, *_ = connections.lake()
    assert tried.answer is ALARM
    assert "no hard links" in tried.found
    assert not list(tmp_path.iterdir())


def test_a_ledger_is_looked_at_and_not_made(tmp_path: Path, connect: Any) -> None:
    from mlops_tasks.registry.ledger import Ledger

    file = tmp_path / "our ledger.db"
    connect("ledger_default", conn_type="sqlite", host=str(file))
    assert "not there yet" in only(connections.ledger()).found
    assert not list(tmp_path.iterdir())
    Ledger(f"sqlite:///{file}").next_token()
    file.chmod(0o644)
    tried, closed = connections.ledger()
    assert tried.answer is FINE
    assert tried.found.endswith("schema 0004, 0 entries")
    assert (closed.answer, closed.fix) == (ALARM, f"chmod o-rwx {file}")
    connect("ledger_default", conn_type="sqlite", host=str(tmp_path / "no" / "ledger.db"))
    assert only(connections.ledger()).answer is ALARM


class Server:
    """Answers as an MLflow server would, with a login or without."""

    def __init__(self, login: tuple[str, str] | None, *, is_mlflow: bool = True) -> None:
        self.login, self.is_mlflow = login, is_mlflow

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if not self.is_mlflow:
            return httpx.Response(200, html="<html>")
        wanted = httpx.BasicAuth(*self.login)._auth_header if self.login else None
        if wanted and request.headers.get("authorization") != wanted:
            return httpx.Response(401)
        if request.url.path == "/team/version":
            return httpx.Response(200, text="3.17.2")
        assert request.url.path == "/team/api/2.0/mlflow/experiments/search"
        return httpx.Response(200, json={"experiments": []})


@pytest.mark.parametrize(
    ("server", "login", "answer", "found"),
    [
        (Server(("bob", "pw")), ("bob", "pw"), FINE, "MLflow 3.17.2 at .* the login of 'bob'$"),
        (Server(("bob", "pw")), ("bob", "no"), ALARM, "refuses the login of 'bob'"),
        (Server(("bob", "pw")), None, ALARM, "asks for a login"),
        (Server(None), None, FINE, "it lets in everybody"),
        (Server(None, is_mlflow=False), None, ALARM, "is no MLflow server"),
    ],
)
def test_mlflow_and_its_login(
    monkeypatch: pytest.MonkeyPatch,
    connect: Any,
    server: Server,
    login: tuple[str, str] | None,
    answer: Answer,
    found: str,
) -> None:
    import re

    real = httpx.Client
    monkeypatch.setattr(
        httpx, "Client", lambda **o: real(**o, transport=httpx.MockTransport(server))
    )
    user, password = login or (None, None)
    host = "https://mlflow.example.com/team/"
    connect("mlflow_default", conn_type="mlflow", host=host, login=user, password=password)
    finding = only(connections.mlflow())
    assert finding.answer == answer
    assert re.search(found, finding.found), finding.found
    assert "pw" not in finding.found


def test_a_server_that_is_away_is_named(connect: Any) -> None:
    connect("mlflow_default", conn_type="mlflow", host="127.0.0.1", port=9)
    finding = only(connections.mlflow())
    assert finding.answer is ALARM
    assert "does not answer at http://127.0.0.1:9" in finding.found


# --- the metadata database


def test_a_database_that_was_never_made(tmp_path: Path) -> None:
    with airflow_settings(tmp_path, tmp_path):
        assert only(metadata.database()).fix == "airflow db migrate"


def test_pools_and_import_errors(tmp_path: Path) -> None:
    from airflow import settings
    from airflow.utils.db import initdb
    from sqlalchemy import text

    with airflow_settings(tmp_path, tmp_path):
        initdb()
        assert only(metadata.database()).answer is FINE
        assert only(metadata.pools()).answer is FINE
        assert only(metadata.import_errors()).answer is CANNOT_TELL, "no Dag was read"
        with settings.get_engine().begin() as connection:
            connection.execute(text("UPDATE slot_pool SET slots = 0"))
            connection.execute(
                text(
                    "INSERT INTO import_error (filename, bundle_name, stacktrace) "
                    "VALUES ('shop/dag.py', 'dags-folder', 'Traceback\nSpecError: no key')"
                )
            )
        assert only(metadata.pools()).answer is ALARM
        finding = only(metadata.import_errors())
        assert (finding.answer, finding.found) == (ALARM, "shop/dag.py: SpecError: no key")


# --- sources

SPEC = """
from pathlib import Path
from tests.unit.orders import orders_dataset

ORDERS = orders_dataset(Path({data!r}))
"""


def test_a_source_that_leads_nowhere_is_named(
    tmp_path: Path, option: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("doctored", "broken"):
        (tmp_path / "dags" / name).mkdir(parents=True)
        (tmp_path / "dags" / name / "__init__.py").touch()
    (tmp_path / "dags" / "doctored" / "spec.py").write_text(SPEC.format(data=str(tmp_path)))
    (tmp_path / "dags" / "broken" / "spec.py").write_text("import nowhere\n")
    option(core__dags_folder=str(tmp_path / "dags"))
    unread, undefined = sources.sources()
    assert (unread.answer, undefined.answer) == (ALARM, ALARM)
    assert "No module named 'nowhere'" in unread.found
    assert "connection 'shop_source'" in undefined.found
    assert undefined.place == "connection shop_source, of dataset orders"
    connect("shop_source", conn_type="sqlite", host=str(tmp_path / "gone.db"))
    assert "gone.db' does not exist" in list(sources.sources())[1].found
    Source(tmp_path / "shop.db").add(0)
    connect("shop_source", conn_type="sqlite", host=str(tmp_path / "shop.db"))
    assert list(sources.sources())[1].answer is FINE


# --- the whole


def test_one_check_that_fails_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[Finding]:
        raise RuntimeError("no way")

    good = Finding("good", FINE, "", "")
    monkeypatch.setattr(examination, "CHECKS", {"broken": broken, "good": lambda: [good]})
    first, second = examine()
    assert (first.answer, first.found, second) == (CANNOT_TELL, "RuntimeError: no way", good)


@pytest.mark.parametrize(
    ("answers", "code"),
    [([FINE], 0), ([FINE, CANNOT_TELL], 3), ([CANNOT_TELL, ALARM, FINE], 1), ([], 0)],
)
def test_the_command_ends_with_the_worst(
    monkeypatch: pytest.MonkeyPatch, answers: list[Answer], code: int
) -> None:
    import mlops_airflow.doctor as room

    findings = [Finding(f"check {n}", one, "found", "[here]") for n, one in enumerate(answers)]
    monkeypatch.setattr(room, "examine", lambda: findings)
    shown = CliRunner().invoke(app, ["doctor"])
    assert shown.exit_code == code
    assert all(f"check {n}" in shown.stdout for n in range(len(answers)))
    told = CliRunner().invoke(app, ["doctor", "--json"])
    assert told.exit_code == code
    assert json.loads(told.stdout)["answer"] == worst(findings)
    assert len(json.loads(told.stdout)["findings"]) == len(answers)


@pytest.mark.slow
def test_what_a_program_reads_is_json_alone_whatever_airflow_prints(tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "dag.py").write_text("from airflow.sdk import DAG\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    env |= {"AIRFLOW_HOME": str(tmp_path), "MLOPS_HOME": str(tmp_path / "no stack")}
    command = [sys.executable, "-m", "mlops_airflow.cli", "doctor", "--json"]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=180
    )
    found = json.loads(done.stdout)
    assert (done.returncode, found["answer"]) == (1, "alarm")
    broken = [one for one in found["findings"] if one["place"] == "this check itself"]
    assert {one["check"] for one in broken} <= {"pools", "import errors"}, "no database was made"
