"""How generated files for continuous integration install what they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_tasks.scaffold.ci_text import _install

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("conn_type", "package"),
    [
        ("sqlite", "mlops-airflow"),
        ("file", "mlops-airflow"),
        ("postgres", "mlops-airflow[postgres]"),
        ("mysql", "mlops-airflow[mysql]"),
    ],
)
def test_the_driver_of_the_source_is_installed(
    conn_type: str, package: str, tmp_path: Path
) -> None:
    assert _install(tmp_path, conn_type) == f"pip install '{package}' pytest ruff"
    (tmp_path / "requirements.txt").touch()
    assert _install(tmp_path, conn_type) == "pip install -r requirements.txt"
