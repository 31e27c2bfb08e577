"""The smoke test of a registered version: which rows it is asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.lake import TrainingPin
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.specs import LabelSpec
from mlops_tasks.steps.smoke_test import smoke_test
from tests.unit.orders import day

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.unit.conftest import World


def test_rows_are_of_the_newest_partition_that_has_any_label(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def look(spec: Any, version: Any, folder: Path, rows: Any) -> Any:
        asked.append(rows)
        return None

    monkeypatch.setattr("mlops_tasks.steps.smoke_test.run_smoke_test", look)
    how: Any = {"lake": world.lake, "tracking": world.tracking}
    smoke_test(world.spec, world.pin, world.champion, **how)
    last = f"CASE WHEN delivered_at < '{day(11)}' THEN minutes_late > 10 END"
    label = LabelSpec(dataset=world.spec.label.dataset, target=last)
    early = world.spec.model_copy(update={"label": label})
    pin = from_json(TrainingPin, to_json(world.pin))
    smoke_test(early, pin, world.champion, **how)
    assert [rows.column_names for rows in asked] == [list(world.spec.features)] * 2
    assert 0 < asked[0].num_rows <= 100
    assert 0 < asked[1].num_rows <= 100
