"""Build what tests of MLflow's store begin with once, before the mutants, instead of for each.

mutmut forks a process for each mutant from the one that has run the unchanged code: what that one
has built is there in all of them. Tests copy it before they change it.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest

from tests.mutation.quick import limit_memory

if TYPE_CHECKING:
    from _pytest.fixtures import SubRequest

_KEPT = ("mlflow_template", "world")
_BUILT: dict[str, object] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Limit the memory; what the first session builds is where pytest does not remove it."""
    limit_memory()
    if not _BUILT:
        config.option.basetemp = tempfile.mkdtemp(prefix="mutation-")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that are marked slow."""
    left_out = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object], request: SubRequest) -> object:
    """Give what an earlier session has built; None lets pytest build it."""
    name = fixturedef.argname
    if name not in _BUILT:
        return None
    fixturedef.cached_result = (_BUILT[name], fixturedef.cache_key(request), None)
    return _BUILT[name]


def pytest_fixture_post_finalizer(fixturedef: pytest.FixtureDef[object]) -> None:
    """Keep what was built for the sessions that follow."""
    if fixturedef.argname in _KEPT and fixturedef.cached_result is not None:
        _BUILT.setdefault(fixturedef.argname, fixturedef.cached_result[0])
