"""One life for all tests that only look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.timeline import Timeline, read_timeline
from tests.unit.orders import project
from tests.unit.timeline.lives import whole_life

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def life(tmp_path_factory: pytest.TempPathFactory) -> Timeline:
    """A month with a change, alarms, a new champion, silence, and two incidents."""
    home: Path = tmp_path_factory.mktemp("life")
    ledger = Ledger(f"sqlite:///{home}/ledger.db")
    whole_life(ledger)
    return read_timeline(project(home / "project"), ledger=ledger)
