"""Shared pieces of the demo's tests."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from demo.flights_package import FlightsPackage
from demo.source import SourceDatabase

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def package() -> FlightsPackage:
    """Hold the real public data, read once."""
    return FlightsPackage()


@pytest.fixture
def source(tmp_path: Path, package: FlightsPackage) -> SourceDatabase:
    """Hold a real source database at the end of 4 January."""
    database = SourceDatabase(tmp_path / "source.db", package)
    database.advance(date(2013, 1, 4))
    return database
