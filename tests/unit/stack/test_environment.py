from __future__ import annotations

import functools
import importlib.util
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from mlops_airflow.provider import get_provider_info
from mlops_airflow.stack.environment import PRELOAD, component_environment, tool

if TYPE_CHECKING:
    from mlops_airflow.stack.credentials import Credentials
    from mlops_airflow.stack.settings import StackSettings

SPEED = {
    "ARROW_DEFAULT_MEMORY_POOL",
    "MALLOC_ARENA_MAX",
    "AIRFLOW__CORE__PARALLELISM",
    "AIRFLOW__CORE__MP_FORKSERVER_PRELOAD",
    "AIRFLOW__SCHEDULER__MP_START_METHOD",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL",
    "OMP_NUM_THREADS",
}


@functools.cache
def airflow_options() -> set[str]:
    spec = importlib.util.find_spec("airflow.config_templates")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    text = (Path(spec.submodule_search_locations[0]) / "config.yml").read_text()
    options = {
        f"AIRFLOW__{section}__{option}".upper()
        for section, content in yaml.load(text, yaml.CSafeLoader).items()
        for option in content["options"]
    }
    secret = {
        f"AIRFLOW__{section}__{option}_CMD".upper()
        for section, content in yaml.load(text, yaml.CSafeLoader).items()
        for option, described in content["options"].items()
        if described.get("sensitive")  # of these alone Airflow runs a command
    }
    # Described below [core]; Airflow looks for each component's own value first.
    return options | secret | {"AIRFLOW__SCHEDULER__MP_START_METHOD"}


@pytest.mark.parametrize("profile", ["fast", "stock"])
def test_every_airflow_option_exists(
    settings: StackSettings, credentials: Credentials, profile: str
) -> None:
    env = component_environment(replace(settings, profile=profile), credentials, {})

    ours = get_provider_info()["config"]["mlops"]["options"]
    known = airflow_options() | {f"AIRFLOW__MLOPS__{option}".upper() for option in ours}
    assert {name for name in env if name.startswith("AIRFLOW__")} <= known


def test_stock_profile_keeps_airflows_own_speed(
    settings: StackSettings, credentials: Credentials
) -> None:
    fast = component_environment(settings, credentials, {})
    stock = component_environment(replace(settings, profile="stock"), credentials, {})

    assert set(fast) >= SPEED
    assert not SPEED & set(stock)
    shared = set(stock) - {"MLOPS_STACK_PROFILE"}
    assert {n: fast[n] for n in shared} == {n: stock[n] for n in shared}


def test_foreign_configuration_does_not_leak(
    settings: StackSettings, credentials: Credentials
) -> None:
    outer = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://production",
        "AIRFLOW__API__SSL_CERT": "/x",
        "AIRFLOW_HOME": "/production",
        "MLFLOW_TRACKING_URI": "http://production",
        "MLFLOW_TRACKING_TOKEN": "t",
        "AIRFLOW_CONN_MLFLOW_DEFAULT": "http://production",
        "PYTHONDONTWRITEBYTECODE": "1",
        "KEPT": "yes",
    }

    env = component_environment(settings, credentials, outer)

    assert "production" not in json.dumps(env)
    assert not {"AIRFLOW__API__SSL_CERT", "MLFLOW_TRACKING_TOKEN"} & set(env)
    assert "PYTHONDONTWRITEBYTECODE" not in env
    assert env["KEPT"] == "yes"


def test_connections_of_the_user_are_kept(
    settings: StackSettings, credentials: Credentials
) -> None:
    outer = {"AIRFLOW_CONN_FLIGHTS_SOURCE": "{}", "AIRFLOW_CONN_OTHER": "http://h"}

    env = component_environment(settings, credentials, outer)

    assert env["AIRFLOW_CONN_FLIGHTS_SOURCE"] == "{}"
    assert env["AIRFLOW_CONN_OTHER"] == "http://h"


def test_connections_of_the_stack(settings: StackSettings, credentials: Credentials) -> None:
    env = component_environment(settings, credentials, {})
    connections = {
        name: json.loads(value) for name, value in env.items() if name.startswith("AIRFLOW_CONN_")
    }

    assert connections == {
        "AIRFLOW_CONN_MLFLOW_DEFAULT": {
            "conn_type": "mlflow",
            "host": "127.0.0.1",
            "port": 5000,
            "schema": "http",
            "login": "mlops",
            "password": "mlflow-password",
        },
        "AIRFLOW_CONN_FLIGHTS_SOURCE": {
            "conn_type": "sqlite",
            "host": str(settings.home / "source.db"),
        },
        "AIRFLOW_CONN_LAKE_DEFAULT": {
            "conn_type": "file",
            "extra": {"path": str(settings.home / "lake")},
        },
        "AIRFLOW_CONN_LEDGER_DEFAULT": {
            "conn_type": "sqlite",
            "host": str(settings.home / "ledger.db"),
        },
    }


def test_loopback_needs_no_proxy(settings: StackSettings, credentials: Credentials) -> None:
    outer = {"no_proxy": "intranet", "https_proxy": "http://proxy:3128"}

    env = component_environment(settings, credentials, outer)

    assert env["no_proxy"] == "intranet,127.0.0.1,localhost"
    assert env["NO_PROXY"] == "127.0.0.1,localhost"


def test_extra_variables_win(settings: StackSettings, credentials: Credentials) -> None:
    extra = {"AIRFLOW__CORE__PARALLELISM": "1", "NEW": "x"}

    env = component_environment(replace(settings, extra_env=extra), credentials, {})

    assert extra.items() <= env.items()


def test_chosen_threads_and_memory_are_kept(
    settings: StackSettings, credentials: Credentials
) -> None:
    chosen = {"OMP_NUM_THREADS": "13", "ARROW_DEFAULT_MEMORY_POOL": "jemalloc"}

    assert chosen.items() <= component_environment(settings, credentials, chosen).items()


def test_commands_come_from_this_environment(
    settings: StackSettings, credentials: Credentials
) -> None:
    here = Path(sys.executable).parent

    assert tool("airflow") == str(here / "airflow")
    env = component_environment(settings, credentials, {"PATH": "/bin"})
    assert env["PATH"] == f"{here}{os.pathsep}/bin"


@pytest.mark.parametrize("name", PRELOAD)
def test_every_preloaded_module_exists(name: str) -> None:
    # A missing one is skipped without a word, and tasks become seconds slower. The parents are
    # imported to find a submodule, which is all this may cost.
    assert importlib.util.find_spec(name.split(".")[0]) is not None
