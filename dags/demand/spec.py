"""Everything that is unique to the demand model."""

from datetime import date
from pathlib import Path

from mlops_tasks.specs import DatasetSpec, InputSpec, LabelSpec, ModelSpec, RetrainSpec
from mlops_tasks.specs.monitoring import DriftSpec, PerformanceSpec
from mlops_tasks.specs.source import SqlSource

HERE = Path(__file__).parent
ITEM = {"store_id": "string", "product_id": "string", "week": "string"}


def weekly(
    name: str, description: str, query: str, columns: dict[str, str], **fields: str
) -> DatasetSpec:
    """Return a weekly dataset of the retailer's database; its texts are its key."""
    return DatasetSpec(
        name=name,
        description=description,
        owner="retail-data",
        source=SqlSource(conn_id="demand_source", query=query),
        grain="week",
        columns=columns,
        key=tuple(name for name in ITEM if name in columns),
        expectations=HERE / "expectations" / f"{name}.json",
        start=date(2023, 1, 2),
        end=date(2024, 12, 30),
        **fields,
    )


OFFERS = weekly(
    "offers",
    "What each store offers in a week, and for how much.",
    "SELECT * FROM offers WHERE week = :partition",
    ITEM | {"offered_at": "timestamp", "price": "float64", "promoted": "int64"},
)
STORES = weekly(
    "stores",
    "The stores that there are in that week.",
    "SELECT store_id, region, size_m2 FROM stores WHERE opened_on <= :partition",
    {"store_id": "string", "region": "string", "size_m2": "int64"},
)
SALES = weekly(
    "sales",
    "What was sold, counted a week later.",
    "SELECT * FROM sales WHERE week = :partition",
    ITEM | {"units": "int64"},
    delay="7d",
)
MODEL = ModelSpec(
    name="demand",
    description="How much of a product will a store sell this week?",
    owner="retail-ml",
    inputs=(InputSpec(dataset=OFFERS), InputSpec(dataset=STORES, snapshot=True)),
    label=LabelSpec(dataset=SALES, target="units"),
    problem_type="regression",
    features_sql=HERE / "features.sql",
    as_of="asked_at",
    observed_at=("store_known_at",),
    categorical=("product", "region"),
    numeric=("size_m2", "price", "promoted", "week_of_year"),
    estimator="demand.model:build",
    train="364d",
    evaluation="28d",
    drift=DriftSpec(window="28d"),
    performance=PerformanceSpec(window="28d"),
    retrain=RetrainSpec(cooldown="28d", max_age="182d"),
)
