"""Leave out of a mutation run what would make each mutant take minutes.

The tests of MLflow's store and those marked slow still run in ``make test``; here a mutant that
only they would notice counts as living, and wants a test that is quick.
"""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


# A mutant that never stops appending must not take the memory of everybody else.
_MEMORY = 6 * 2**30


def limit_memory() -> None:
    """Limit the memory of this process, and of those that it forks."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def pytest_configure() -> None:
    """Limit the memory of the tests."""
    limit_memory()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests that need no store of MLflow and are not marked slow."""
    left_out = [item for item in items if _is_slow(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _is_slow(item: pytest.Item) -> bool:
    fixtures: list[str] = getattr(item, "fixturenames", [])
    return "mlflow_template" in fixtures or item.get_closest_marker("slow") is not None
