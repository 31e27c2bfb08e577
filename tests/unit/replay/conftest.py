"""The example projects, as the replay reads them, and no waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_airflow.projects import find_model
from tests.quality.discovery import DAGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tasks.specs import ModelSpec


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def model(example_projects: None) -> Callable[[str], ModelSpec]:
    """Return the spec of an example."""
    return lambda name: find_model(name, DAGS)
