"""A stack whose parts are killed in turn, night after night, ends as one that was left alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.chaos import play
from tests.system.test_night import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_airflow.stack.settings import StackSettings

N_NIGHTS = int(os.environ.get("MLOPS_CHAOS_NIGHTS", "0"))

pytestmark = pytest.mark.skipif(N_NIGHTS == 0, reason="takes minutes: set MLOPS_CHAOS_NIGHTS")


@pytest.fixture
def ends(new_settings: Callable[..., StackSettings]) -> dict[str, Any]:
    """How the same nights ended, once undisturbed and once disturbed."""

    def settings(env: dict[str, str]) -> StackSettings:
        return new_settings(REPOSITORY / "dags", env, plugins_folder=REPOSITORY / "plugins")

    calm, nobody = play(settings, N_NIGHTS, disturbed=False)
    wild, killed = play(settings, N_NIGHTS, disturbed=True)
    return {"calm": calm, "wild": wild, "nobody": nobody, "killed": killed}


def test_killed_parts_change_no_table_and_no_decision(ends: dict[str, Any]) -> None:
    assert ends["nobody"] == []
    assert {"mlflow", "scheduler", "source"} <= {*ends["killed"]}
    assert len(ends["killed"]) >= N_NIGHTS
    calm, wild = ends["calm"], ends["wild"]
    for part in calm:
        assert wild[part] == calm[part], f"{part} differs"
    assert len(set(calm["versions"])) == len(calm["versions"]) > 1
