"""The environment every component of the stack runs in."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_airflow.mlflow_server import PASSWORD_VARIABLE, USER_VARIABLE
from mlops_airflow.stack.credentials import KEYS, MLFLOW_USER
from mlops_airflow.stack.processor import numeric_environment
from mlops_airflow.stack.recorded_connections import connection_variables
from mlops_airflow.stack.settings import LOOPBACK, StackSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_airflow.stack.credentials import Credentials

__all__ = ["component_environment", "tool"]

#: Imported once in the fork server, so that tasks get them for nothing. A module that cannot be
#: imported is skipped by Python without a word; the system test looks into a task.
PRELOAD = (
    # Before Airflow: it looks for each of NumPy's functions in every module that is there, and
    # Airflow's old names answer slowly, 2 s in all.
    "skops.io",
    "airflow",
    "airflow.executors.local_executor",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.dag_processing.dagbag",
    "mlops_airflow.stack.fork_server",
    "airflow.dag_processing.bundles.local",
    "airflow.providers.standard.decorators.python",
    "airflow.sdk.definitions.asset.metadata",
    "airflow.sdk.definitions.decorators",
    "airflow.sdk.execution_time.cache",
    "airflow.sdk.execution_time.timeout",
    "deltalake",
    "deltalake.fs",
    "duckdb",
    "git",
    "great_expectations",
    "jinja2.ext",
    "mlflow",
    "mlflow.pyfunc",
    "mlflow.sklearn",
    "mlflow.tracing.export.utils",
    "mlflow.tracing.processor.base_mlflow",
    "mlflow.tracking.request_header.registry",
    "narwhals._interchange.dataframe",
    "narwhals._pandas_like.dataframe",
    "narwhals.stable.v2",
    "netrc",
    "opentelemetry.sdk.metrics",
    "pandas",
    "pyarrow.acero",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "scipy.stats",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "mlops_airflow.plugin",
    "mlops_airflow.lifecycle",
    "mlops_tasks.drift.alarm_rule",
    "mlops_tasks.drift.aspects",
    "mlops_tasks.drift.histograms",
    "mlops_tasks.drift.measures",
)

#: A shell that points at another Airflow or MLflow must not leak into this stack.
_FOREIGN_PREFIXES = ("AIRFLOW__", "MLFLOW_", "_AIRFLOW", "_MLFLOW")
_FOREIGN = frozenset(
    ("AIRFLOW_HOME", "AIRFLOW_CONFIG", "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "MLOPS_STACK_ENV")
)


def tool(name: str) -> str:
    """Return a command installed beside this Python, whatever PATH says.

    Parameters
    ----------
    name : str
        Command, for example ``airflow``.

    Returns
    -------
    str
        Its absolute path.
    """
    return str(Path(sys.executable).parent / name)


def component_environment(
    settings: StackSettings, credentials: Credentials, outer: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Build the whole environment: everything that any component, or a person's command, needs.

    Parameters
    ----------
    settings : StackSettings
        The stack to describe.
    credentials : Credentials
        Its secrets.
    outer : Mapping of str to str, optional
        Environment to start from; the process environment by default. Its ``AIRFLOW__*`` and
        ``MLFLOW_*`` variables are dropped; its connections and Airflow variables are kept.

    Returns
    -------
    dict of str to str
        Variables for ``airflow`` and ``mlflow`` commands against this stack; components get
        their part of it by `mlops_airflow.stack.secret_holders`.
    """
    outer = os.environ if outer is None else outer
    env = {
        name: value
        for name, value in outer.items()
        if name not in _FOREIGN and not name.startswith(_FOREIGN_PREFIXES)
    }
    # What is set now counts for more than what was recorded once.
    env = connection_variables(settings.connections_file) | env
    env |= settings.to_env()
    env["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), outer.get("PATH", os.defpath)))
    for name in ("NO_PROXY", "no_proxy"):
        env[name] = ",".join(filter(None, (outer.get(name), LOOPBACK, "localhost")))
    env |= _airflow(settings) | _keys(settings) | _mlflow(settings, credentials)
    env |= _quiet()
    if settings.profile == "fast":
        numeric = _threads() | numeric_environment()
        env |= _fast(settings) | {name: outer.get(name, value) for name, value in numeric.items()}
    return env | _connections(settings, credentials, outer) | dict(settings.extra_env)


def _airflow(settings: StackSettings) -> dict[str, str]:
    plugins = settings.plugins_folder or settings.airflow_home / "plugins"
    options = {
        "core.dags_folder": settings.dags_folder,
        "core.plugins_folder": plugins,
        "core.executor": "LocalExecutor",
        "core.load_examples": False,
        "core.execution_api_server_url": f"{settings.airflow_url}/execution/",
        "core.simple_auth_manager_users": "admin:admin",
        "core.simple_auth_manager_passwords_file": settings.passwords_file,
        # SQLite has one writer: the others wait for it, longer than the five seconds of Python.
        "database.sql_alchemy_conn": f"sqlite:///{settings.airflow_home / 'airflow.db'}?timeout=60",
        "api.host": LOOPBACK,
        "api.port": settings.airflow_port,
        "api.base_url": settings.airflow_url,
        "dag_processor.dag_bundle_storage_path": settings.airflow_home / "bundles",
        "logging.base_log_folder": settings.airflow_home / "logs",
        "logging.dag_processor_child_process_log_directory": settings.airflow_home
        / "logs"
        / "dag_processor",
        "logging.colored_console_log": False,
        "logging.file_task_handler_new_folder_permissions": "0o700",
        "logging.file_task_handler_new_file_permissions": "0o600",
        "logging.secret_mask_adapter": "mlops_airflow.stack.redaction.secret_forms",
        "mlops.evidence_key": settings.evidence_key_file,
        "metrics.statsd_on": False,
        "metrics.otel_on": False,
        "traces.otel_on": False,
    }
    return {"AIRFLOW_HOME": str(settings.airflow_home)} | _options(options)


def _fast(settings: StackSettings) -> dict[str, str]:
    return _options(
        {
            "core.parallelism": settings.parallelism,
            "core.mp_forkserver_preload": ",".join(PRELOAD),
            "scheduler.mp_start_method": "forkserver",
            # The gap between two tasks; 0.1 s costs an idle scheduler an eighth of a core.
            "scheduler.scheduler_idle_sleep_time": 0.1,
            # A task whose worker died is seen after half a minute, not after five.
            "scheduler.task_instance_heartbeat_timeout": 30,
            # So that a stack started after a crash goes on with what was running then.
            "scheduler.orphaned_tasks_check_interval": 30,
            "workers.min_heartbeat_interval": 1,
            "dag_processor.refresh_interval": 5,
            "dag_processor.bundle_refresh_check_interval": 2,
        }
    )


def _options(options: Mapping[str, object]) -> dict[str, str]:
    return {
        "AIRFLOW__{}__{}".format(*key.upper().split(".")): str(value)
        for key, value in options.items()
    }


def _keys(settings: StackSettings) -> dict[str, str]:
    # Airflow runs such a command when it needs the value: the environment itself holds none.
    read = {key: shlex.join(["cat", str(settings.key_file(key))]) for key in KEYS}
    return _options(
        {
            "core.fernet_key_cmd": read["fernet_key"],
            "api.secret_key_cmd": read["api_secret_key"],
            "api_auth.jwt_secret_cmd": read["jwt_secret"],
        }
    )


def _mlflow(settings: StackSettings, credentials: Credentials) -> dict[str, str]:
    return {
        "MLFLOW_TRACKING_URI": settings.mlflow_url,
        "MLFLOW_TRACKING_USERNAME": MLFLOW_USER,
        "MLFLOW_TRACKING_PASSWORD": credentials.mlflow_password,
        USER_VARIABLE: MLFLOW_USER,
        PASSWORD_VARIABLE: credentials.mlflow_password,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        # A server that is away must cost seconds, not the four minutes of the defaults.
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
        "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    }


def _quiet() -> dict[str, str]:
    return {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # MLflow takes "true" and nothing else for this one.
        "DO_NOT_TRACK": "true",
        "GX_ANALYTICS_ENABLED": "false",
        "PYTHONUNBUFFERED": "1",
        # Airflow's own, once in every task log.
        "PYTHONWARNINGS": "ignore:GitWildMatchPattern:DeprecationWarning",
    }


def _threads() -> dict[str, str]:
    # Several tasks share the cores; spinning threads of one starve the others.
    threads = str(max(1, (os.cpu_count() or 1) // 2))
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return dict.fromkeys(names, threads) | {"OMP_WAIT_POLICY": "PASSIVE"}


def _connections(
    settings: StackSettings, credentials: Credentials, outer: Mapping[str, str]
) -> dict[str, str]:
    sqlite: dict[str, object] = {"conn_type": "sqlite"}
    connections: dict[str, dict[str, object]] = {
        "mlflow_default": {
            "conn_type": "mlflow",
            "host": LOOPBACK,
            "port": settings.mlflow_port,
            "schema": "http",
            "login": MLFLOW_USER,
            "password": credentials.mlflow_password,
        },
        "flights_source": sqlite | {"host": str(settings.home / "source.db")},
        "lake_default": {"conn_type": "file", "extra": {"path": str(settings.home / "lake")}},
        "ledger_default": sqlite | {"host": str(settings.home / "ledger.db")},
    }
    env = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(c) for name, c in connections.items()}
    # The source belongs to the user and may be elsewhere; the rest is the stack's own state.
    source = "AIRFLOW_CONN_FLIGHTS_SOURCE"
    given = {**connection_variables(settings.connections_file), **outer}
    return env | {source: given.get(source, env[source])}
