"""Nothing phones home: not from the stack, not from the deployment, not from a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.quality.discovery import TELEMETRY_OFF as OFF


@pytest.fixture
def stack_environment(tmp_path: Path) -> dict[str, str]:
    from mlops_airflow.stack.credentials import load_credentials
    from mlops_airflow.stack.environment import component_environment
    from mlops_airflow.stack.settings import StackSettings

    settings = StackSettings(home=tmp_path, dags_folder=tmp_path / "dags")
    return component_environment(settings, load_credentials(settings.secrets_file), outer={})


@pytest.mark.parametrize("name", OFF)
def test_the_stack_switches_telemetry_off(name: str, stack_environment: dict[str, str]) -> None:
    assert stack_environment[name] in OFF[name]


@pytest.mark.parametrize("name", ["MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"])
def test_mlflow_reads_each_switch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.telemetry import utils

    monkeypatch.setattr(utils, "_IS_IN_CI_ENV_OR_TESTING", False)
    for switch in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        monkeypatch.delenv(switch, raising=False)
    assert not utils.is_telemetry_disabled(), "this test would prove nothing"
    monkeypatch.setenv(name, *OFF[name])
    assert utils.is_telemetry_disabled()
