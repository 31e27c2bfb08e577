"""A leak in a project, from the training to the champion that it does not become."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.exceptions import SpecError
from mlops_tasks.features.leaks import newest_rows
from mlops_tasks.lake import overwrite_partition
from mlops_tasks.registry.artifacts import LEAKS
from mlops_tasks.specs import InputSpec
from mlops_tasks.specs.schema import arrow_schema
from mlops_tasks.steps.evaluate import evaluate
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.promote import promote
from mlops_tasks.steps.register import register
from mlops_tasks.steps.train import train
from tests.unit.orders import (
    FEATURES_SQL,
    day,
    fill_lake,
    orders_dataset,
    project,
    rows_of,
    traffic_dataset,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.gate import Verdict
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import TrainResult
    from mlops_tasks.specs import ModelSpec
    from tests.unit.conftest import World

DAYS = 16
PARTS = ("kitchen_minutes", "road_minutes")


def leaky(folder: Path, *numeric: str, **changes: Any) -> ModelSpec:
    """Return the orders project with columns that are written after the delivery."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = orders_dataset(folder)
    orders = orders_dataset(folder, columns=plain.columns | dict.fromkeys(PARTS, "float64?"))
    inputs = (
        InputSpec(dataset=orders),
        InputSpec(dataset=traffic_dataset(folder), lookback_days=1),
    )
    sql = FEATURES_SQL.replace("o.express,", f"o.express, {', '.join(f'o.{n}' for n in PARTS)},")
    fields = {"inputs": inputs, "numeric": ("distance", "speed", *numeric), "features_sql": sql}
    return project(folder, **fields | changes)


def fill(lake: Lake, spec: ModelSpec, *, filled: int = DAYS) -> None:
    """Publish days; the columns are filled in on all of them but the last ones."""
    for number in range(DAYS):
        rows = rows_of(number)
        late = rows["deliveries"].column("minutes_late").to_numpy()
        kitchen = np.random.default_rng(number).normal(0, 15, len(late))
        for name, values in zip(PARTS, (kitchen, late - kitchen), strict=True):
            column = pa.array(values if number < filled else [None] * len(late), pa.float64())
            rows["orders"] = rows["orders"].append_column(name, column)
        for dataset in spec.datasets:
            table = rows[dataset.name].cast(arrow_schema(dataset))
            overwrite_partition(
                lake.table(dataset.name), day(number), table, token=number + 1, known_at=day(number)
            )


@pytest.fixture
def judged(lake: Lake, tracking: Tracking) -> Any:
    """Return what trains and judges a first champion."""

    def done(spec: ModelSpec) -> tuple[TrainResult, Verdict]:
        pin = pin_training_data(spec, day(DAYS - 1), lake=lake)
        trained = train(spec, pin, lake=lake, tracking=tracking)
        return trained, evaluate(spec, pin, trained, None, lake=lake, tracking=tracking)

    return done


def test_two_columns_whose_sum_is_the_label_make_no_champion(
    judged: Any, tmp_path: Path, lake: Lake, tracking: Tracking, ledger: Ledger
) -> None:
    spec = leaky(tmp_path / "leaky", *PARTS)
    fill(lake, spec)
    trained, verdict = judged(spec)
    assert [one.columns for one in trained.suspects] == [PARTS]
    assert verdict.verdict == "keep"
    assert verdict.suspects == trained.suspects
    assert "kitchen_minutes + road_minutes gives the label" in verdict.reason
    assert "Else the verdict were promote: " in verdict.reason
    (written,) = tracking.read_json(trained.run_id, LEAKS)["suspects"]
    assert written["columns"] == list(PARTS)
    run = tracking.client.get_run(trained.run_id)
    assert run.data.tags["mlops.verdict"] == "keep"

    stores: Any = {"tracking": tracking, "ledger": ledger}
    version = register(spec.name, trained, verdict, **stores)
    shown = tracking.by_version(spec.name, version.version).tags
    assert shown["mlops.leak_suspects"] == "kitchen_minutes + road_minutes"
    assert not promote(version, verdict, as_of=day(DAYS - 1), **stores)


def test_named_as_legitimate_they_do(judged: Any, tmp_path: Path, lake: Lake) -> None:
    spec = leaky(tmp_path / "leaky", *PARTS, allow_leak_suspects=PARTS)
    fill(lake, spec)
    trained, verdict = judged(spec)
    assert verdict.verdict == "promote"
    assert verdict.suspects == trained.suspects != ()


def test_a_challenger_is_held_back_like_a_first_champion(own_world: World) -> None:
    """Suspects are of the training; the champion has none of its own."""
    world = own_world
    pin = pin_training_data(world.spec, day(17), lake=world.lake)
    trained = train(world.spec, pin, lake=world.lake, tracking=world.tracking)
    assert trained.suspects == ()
    suspect = replace(trained, suspects=_suspects_of("distance"))
    stores: Any = {"lake": world.lake, "tracking": world.tracking}
    verdict = evaluate(world.spec, pin, suspect, world.champion, **stores)
    assert verdict.verdict == "keep"
    assert verdict.reason.startswith("looks like a leak of the label: ")
    assert verdict.champion_version == "1"


def _suspects_of(name: str) -> Any:
    from mlops_tasks.registry.versions import LeakSuspect

    return (LeakSuspect((name,), "alone", 1.0, 0.99, 1.0, 800, f"{name!r} gives the label"),)


def test_a_column_that_is_filled_in_later(judged: Any, tmp_path: Path, lake: Lake) -> None:
    """Alone it says little of the label, and the newest day does not have it."""
    spec = leaky(tmp_path / "late", "kitchen_minutes")
    fill(lake, spec, filled=DAYS - 1)
    trained, verdict = judged(spec)
    assert [(one.kind, one.columns) for one in trained.suspects] == [
        ("newest", ("kitchen_minutes",))
    ]
    assert verdict.verdict == "keep"


def test_an_honest_project_has_none(world: World) -> None:
    assert world.trained.suspects == ()
    assert "leak" not in world.verdict.reason
    artifacts = world.tracking.client.list_artifacts(world.trained.run_id)
    assert LEAKS not in {artifact.path for artifact in artifacts}


def test_the_newest_rows_are_those_after_the_evaluation(world: World) -> None:
    rows = newest_rows(world.spec, world.pin, lake=world.lake)
    assert rows is not None
    assert set(rows.column("order_id").to_pylist()) == {
        f"{world.as_of}/{i}" for i in range(rows.num_rows)
    }
    last = replace(world.pin, evaluation=(day(12), world.as_of))
    assert newest_rows(world.spec, last, lake=world.lake) is None


def test_newest_rows_wait_for_all_inputs_and_forgive_none_that_cannot_be_built(
    tmp_path: Path, lake: Lake
) -> None:
    spec = project(tmp_path / "project")
    fill_lake(lake, spec, range(DAYS))
    pin = pin_training_data(spec, day(DAYS - 1), lake=lake)
    empty = rows_of(DAYS - 1)["traffic"].slice(0, 0).cast(arrow_schema(spec.datasets[1]))
    overwrite_partition(
        lake.table("traffic"), day(DAYS - 1), empty, token=2**40, known_at=day(DAYS - 1)
    )
    rows = newest_rows(spec, pin, lake=lake)
    assert rows is not None
    assert rows.column("order_id")[0].as_py().startswith(day(DAYS - 2))
    broken = spec.model_copy(update={"observed_at": ("asked_at",)})
    assert newest_rows(broken, pin, lake=lake) is None


@pytest.mark.parametrize("names", [("speed", "sped"), ("minutes_late",)])
def test_only_features_can_be_allowed(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(SpecError, match=r"allow_leak_suspects: \['(sped|minutes_late)'\] are no"):
        project(tmp_path / "p", allow_leak_suspects=names)
