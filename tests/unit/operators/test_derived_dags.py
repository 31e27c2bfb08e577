"""A derived dataset in Airflow: what starts it, and what it waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.lifecycle import build_dags, dataset_dags
from mlops_airflow.operators.ingest import IngestPartitionOperator
from mlops_airflow.operators.validate import ValidatePartitionOperator
from mlops_tasks.specs import DerivedSource, InputSpec
from tests.unit.operators.conftest import context
from tests.unit.operators.test_lifecycle import assets
from tests.unit.orders import (
    FEATURES_SQL,
    day,
    deliveries_dataset,
    orders_dataset,
    project,
    traffic_dataset,
    write_suite,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import DatasetSpec

DAY = day(0)


def shops(folder: Path, *inputs: DatasetSpec) -> DatasetSpec:
    return orders_dataset(
        folder,
        name="shops",
        source=DerivedSource(
            inputs=tuple(InputSpec(dataset=one) for one in inputs),
            query="SELECT shop, count(*) AS orders, max(ordered_at) AS last_at FROM orders"
            " GROUP BY shop",
        ),
        columns={"shop": "string", "orders": "int64", "last_at": "timestamp"},
        key=("shop",),
        expectations=write_suite(folder, "shops", []),
    )


def test_each_event_of_an_input_starts_it(tmp_path: Path) -> None:
    inputs = orders_dataset(tmp_path), deliveries_dataset(tmp_path)
    (dag,) = dataset_dags(shops(tmp_path, *inputs))
    assert dag.dag_id == "shops.ingest"
    assert assets(dag) == {"AssetAny": ["orders", "deliveries", "deliveries.refreshed"]}
    (one,) = dataset_dags(shops(tmp_path, orders_dataset(tmp_path)))
    assert assets(one) == "orders"
    assert "when orders has published it" in str(one.doc_md)


def test_what_it_is_made_of_is_built_with_the_model(tmp_path: Path) -> None:
    spec = project(tmp_path / "project")
    derived = shops(tmp_path, orders_dataset(tmp_path), traffic_dataset(tmp_path, name="other"))
    inputs = (spec.inputs[0], InputSpec(dataset=derived, timeless="counted by then"))
    namespace: dict[str, Any] = {}
    build_dags(
        project(tmp_path / "again", inputs=inputs, observed_at=(), features_sql=FEATURES_SQL),
        namespace=namespace,
    )
    built = {dag.dag_id for dag in namespace.values()}
    assert {"orders.ingest", "other.ingest", "shops.ingest"} <= built


def test_it_waits_for_every_input_and_is_computed_again_after_a_correction(
    empty_stack: Any, tmp_path: Path
) -> None:
    lake, _, _, source = empty_stack
    source.add(0)
    orders, traffic = orders_dataset(tmp_path), traffic_dataset(tmp_path)
    derived = shops(tmp_path, orders, traffic)

    def take(dataset: DatasetSpec, run: str) -> Any:
        ingest = IngestPartitionOperator(task_id="ingest", dataset=dataset)
        raw = ingest.execute(context(ingest, key=DAY, run=run))
        validate = ValidatePartitionOperator(task_id="validate", dataset=dataset, raw=raw)
        return validate.execute(context(validate, key=DAY, run=run))

    take(orders, "a")
    with pytest.raises(AirflowSkipException, match=f"shops waits for traffic {DAY}"):
        take(derived, "a")
    take(traffic, "a")
    first = take(derived, "b")
    with pytest.raises(AirflowSkipException, match="unchanged"):
        take(derived, "c")
    source.run("DELETE FROM orders WHERE rowid <= 10")
    take(orders, "d")
    second = take(derived, "d")
    assert second["digest"] != first["digest"]
    (commit,) = lake.table("shops").commits(first=DAY, last=DAY)
    assert set(commit.inputs) == {"orders", "traffic"}
