"""Which policies are compared, and what each looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_tasks.backtest import compared_policies
from mlops_tasks.backtest.policies import choose_policies
from mlops_tasks.exceptions import SpecError
from mlops_tasks.specs import RetrainSpec
from tests.unit.orders import project

if TYPE_CHECKING:
    from pathlib import Path


def test_the_own_policy_is_compared_where_it_is_another(tmp_path: Path) -> None:
    own = project(tmp_path, retrain=RetrainSpec(max_age="20d"))
    names = [one.name for one in compared_policies(own)]
    assert names == ["never", "nightly", "weekly", "drift", "performance", "default", "own"]
    usual = project(tmp_path, retrain=RetrainSpec())
    assert [one.name for one in compared_policies(usual)] == names[:-1]


def test_each_policy_has_a_name_of_its_own_for_tables_and_ledger(tmp_path: Path) -> None:
    spec = project(tmp_path)
    found = {one.name: one.of(spec) for one in compared_policies(spec)}
    assert found["weekly"].predictions_table == "late_orders__weekly__predictions"
    assert found["weekly"].retrain.max_age.days == 7
    assert found["own"].retrain == spec.retrain
    assert not any(one.performance.estimate for one in found.values())
    assert len({one.name for one in found.values()}) == len(found)


def test_alone_means_that_nothing_else_is_shown(tmp_path: Path) -> None:
    found = {one.name: one for one in compared_policies(project(tmp_path))}
    shown = {name: (one.performance, one.drift) for name, one in found.items()}
    assert shown["drift"] == (False, True)
    assert shown["performance"] == (True, False)
    assert shown["never"] == shown["nightly"] == shown["weekly"] == (False, False)
    assert shown["default"] == shown["own"] == (True, True)


def test_a_policy_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no policy 'wekly' to compare.*weekly"):
        choose_policies(project(tmp_path), ["wekly"])
