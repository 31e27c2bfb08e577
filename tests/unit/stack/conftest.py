from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_airflow.stack.credentials import Credentials
from mlops_airflow.stack.preparation import make_home
from mlops_airflow.stack.settings import StackSettings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    """A stack that was never started, in an empty folder."""
    return StackSettings.from_env({}, cwd=tmp_path)


@pytest.fixture
def made_home(settings: StackSettings) -> StackSettings:
    """The same with its folders."""
    make_home(settings)
    return settings


@pytest.fixture
def credentials() -> Credentials:
    return Credentials("admin-password", "fernet-key", "jwt-secret", "api-key-0", "mlflow-password")
