"""Models of one table, as plain arguments make them."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_tasks.exceptions import PartitionKeyError, SpecError
from mlops_tasks.specs import TableModel
from mlops_tasks.specs.importable import check_importable
from tests.unit.visits import PLAIN, VISITS


def model(**changes: Any) -> TableModel:
    return TableModel(**(PLAIN | changes))


def test_a_dataset_says_what_it_knows_of_its_table() -> None:
    found = model()
    assert (found.table, found.key, found.columns) == ("visits", ("visit_id",), VISITS.columns)
    assert (found.grain, found.timezone, found.has_personal) == ("day", "UTC", False)


def test_what_a_dataset_hides_is_hidden() -> None:
    secret = VISITS.model_copy(update={"personal": ("age",)})
    found = model(table=secret)
    assert (found.hides("age"), found.hides("clinic"), found.hides("unknown")) == (
        True,
        False,
        True,
    )


def test_it_is_kept_as_json_and_comes_back() -> None:
    found = model(costs={"false_alarm": 1, "miss": 4})
    assert found.threshold == pytest.approx(0.2)
    assert TableModel.restored(found.saved()) == found


def test_it_can_be_of_another_table() -> None:
    assert model().on("visits") == model()
    named = model().on("walk_ins")
    assert (named.table, named.key, named.columns) == ("walk_ins", ("visit_id",), {})
    hourly = VISITS.model_copy(update={"name": "hours", "grain": "hour", "key": ("age",)})
    other = model(numeric=("lead_days",)).on(hourly)
    assert (other.table, other.grain, other.key) == ("hours", "hour", ("age",))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"numeric": ("ages",)}, "no column 'ages'; did you mean 'age'"),
        ({"weight": "wait"}, "no column 'wait'"),
        ({"as_of": "booked"}, "no column 'booked'"),
        ({"target": " "}, "target: String should have at least 1 character"),
        ({"numeric": (), "categorical": ()}, "name at least one feature"),
        ({"numeric": ("age", "visit_id")}, r"\['visit_id'\] name each row"),
        ({"grain": "hour"}, r"\['grain'\]: the dataset 'visits' says that"),
        ({"estimator": "build"}, "must name a function as 'package.module:function'"),
        ({"table": "Visits"}, "name 'Visits' is not allowed"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(SpecError, match=text):
        model(**changes)


def test_a_partition_in_the_future_is_refused() -> None:
    with pytest.raises(PartitionKeyError, match="lies in the future"):
        model().check_partition("2999-01-01")


def test_a_module_is_read_and_not_run(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loud.py").write_text(
        "import sys\nif sys:\n    def build(): ...\nraise SystemExit\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert check_importable("loud:build") == "loud:build"
    with pytest.raises(SpecError, match="'loud' defines no 'biuld'; did you mean 'build'"):
        check_importable("loud:biuld")
