from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_airflow.stack.exceptions import StackSettingsError
from mlops_airflow.stack.settings import StackSettings

if TYPE_CHECKING:
    from pathlib import Path


def test_defaults_stay_in_the_working_folder(tmp_path: Path) -> None:
    settings = StackSettings.from_env({}, cwd=tmp_path)

    assert settings.home == tmp_path / ".mlops"
    assert settings.dags_folder == tmp_path / "dags"
    assert settings.plugins_folder is None
    assert settings.airflow_url == "http://127.0.0.1:8080"
    assert settings.mlflow_url == "http://127.0.0.1:5000"


def test_plugins_folder_is_used_where_it_exists(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()

    assert StackSettings.from_env({}, cwd=tmp_path).plugins_folder == tmp_path / "plugins"


@pytest.mark.parametrize("with_plugins", [False, True])
def test_settings_survive_the_environment(tmp_path: Path, *, with_plugins: bool) -> None:
    if with_plugins:
        (tmp_path / "plug").mkdir()
    settings = StackSettings(
        home=tmp_path / "a b",
        dags_folder=tmp_path / "d",
        plugins_folder=tmp_path / "plug" if with_plugins else None,
        airflow_port=1234,
        mlflow_port=2345,
        profile="stock",
        parallelism=7,
        ready_timeout_s=9,
        extra_env={"X": "1"},
    )

    assert StackSettings.from_env(settings.to_env(), cwd=tmp_path / "elsewhere") == settings


def test_absolute_paths_are_kept(tmp_path: Path) -> None:
    env = {"MLOPS_HOME": str(tmp_path / "h"), "MLOPS_DAGS_FOLDER": "other"}

    settings = StackSettings.from_env(env, cwd=tmp_path / "w")

    assert settings.home == tmp_path / "h"
    assert settings.dags_folder == tmp_path / "w" / "other"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MLOPS_AIRFLOW_PORT", "eighty"),
        ("MLOPS_MLFLOW_PORT", "70000"),
        ("MLOPS_PARALLELISM", "0"),
        ("MLOPS_READY_TIMEOUT_S", ""),
        ("MLOPS_STACK_PROFILE", "slow"),
        ("MLOPS_STACK_ENV", "{"),
        ("MLOPS_STACK_ENV", '{"A": 1}'),
        ("MLOPS_STACK_ENV", "[]"),
    ],
)
def test_unusable_value_is_named(name: str, value: str) -> None:
    with pytest.raises(StackSettingsError, match=name):
        StackSettings.from_env({name: value})
