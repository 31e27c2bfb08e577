"""What the plugin does in Airflow's processes."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import sys
from multiprocessing import forkserver
from typing import TYPE_CHECKING
from unittest.mock import create_autospec

import pytest
import structlog
from airflow.sdk._shared.secrets_masker import _secrets_masker, redact, reset_secrets_masker
from airflow.sdk.log import mask_logs

from mlops_airflow.listeners import masking, preload
from mlops_airflow.plugin import MlopsPlugin
from mlops_airflow.stack.redaction import secret_forms
from mlops_airflow.stack.worker_output import mask_worker_output

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def masker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    reset_secrets_masker()
    monkeypatch.setattr(_secrets_masker(), "secret_mask_adapter", secret_forms)
    config = structlog.get_config()
    yield
    structlog.configure(**config)
    reset_secrets_masker()


def test_plugin_listens() -> None:
    assert MlopsPlugin.name == "mlops"
    assert MlopsPlugin.listeners == [masking, preload]


def test_secrets_of_the_environment_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_X", json.dumps({"password": "pass/word"}))
    monkeypatch.setenv("MY_TOKEN", "token-value")

    masking.on_starting(component=object())

    assert redact("a pass/word b pass%2Fword c token-value") == "a *** b *** c ***"


def test_nothing_is_masked_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {"HOME": "/somewhere"})

    masking.on_starting(component=object())

    assert _secrets_masker().patterns == set()


@pytest.mark.parametrize(("command", "n_times"), [("scheduler", 1), ("api-server", 0)])
def test_scheduler_masks_the_output_of_its_workers(
    monkeypatch: pytest.MonkeyPatch, command: str, n_times: int
) -> None:
    monkeypatch.setattr(sys, "argv", ["airflow", command])
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[p for p in before if p is not mask_logs])

    masking.on_starting(component=object())

    assert structlog.get_config()["processors"].count(mask_logs) == n_times


def test_fork_server_masks_the_output_of_its_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mlops_airflow.stack.fork_server", raising=False)
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[p for p in before if p is not mask_logs])

    importlib.import_module("mlops_airflow.stack.fork_server")

    assert mask_logs in structlog.get_config()["processors"]


def test_output_is_masked_last_and_once() -> None:
    render = structlog.processors.KeyValueRenderer()
    structlog.configure(processors=[structlog.processors.add_log_level, render])

    mask_worker_output()
    mask_worker_output()

    assert structlog.get_config()["processors"][-2:] == [mask_logs, render]
    assert len(structlog.get_config()["processors"]) == 3


@pytest.mark.parametrize(
    ("command", "method", "n_times"),
    [("scheduler", "forkserver", 1), ("scheduler", "fork", 0), ("triggerer", "forkserver", 0)],
)
def test_fork_server_starts_with_the_scheduler(
    monkeypatch: pytest.MonkeyPatch, command: str, method: str, n_times: int
) -> None:
    started = create_autospec(forkserver.ensure_running)
    monkeypatch.setattr(forkserver, "ensure_running", started)
    monkeypatch.setattr(sys, "argv", ["airflow", command, "--skip-serve-logs"])
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda allow_none: method)

    preload.on_starting(component=object())

    assert started.call_count == n_times
