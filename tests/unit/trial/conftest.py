"""The orders project with a source of 24 days, whose connection is an Airflow variable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.orders import Source

if TYPE_CHECKING:
    from pathlib import Path

N_DAYS = 24


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    source = Source(path)
    for number in range(N_DAYS):
        source.add(number)
    return path


def connect_shop(patch: pytest.MonkeyPatch, path: Path) -> None:
    connection = {"conn_type": "sqlite", "host": str(path)}
    patch.setenv("AIRFLOW_CONN_SHOP_SOURCE", json.dumps(connection))


@pytest.fixture
def shop(filled: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    connect_shop(monkeypatch, filled)
    return filled


@pytest.fixture
def own_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """An empty source of this test's own."""
    path = tmp_path / "own.db"
    connect_shop(monkeypatch, path)
    return Source(path)
