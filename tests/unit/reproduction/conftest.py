"""A project of two models, a number and a yes or no, each trained and registered once."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlops_airflow.testing.sample_rows import publish_rows
from mlops_tasks.lake import Lake
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.registry.reproduction import Environment
from mlops_tasks.registry.reproduction.fresh_environment import FreshEnvironments
from mlops_tasks.registry.tracking import Tracking
from mlops_tasks.specs import TableModel
from mlops_tasks.steps.pin import pin_table, pin_training_data
from mlops_tasks.steps.register import register
from mlops_tasks.steps.reproduce import Reproduction, reproduce
from mlops_tasks.steps.train import train

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec

N_DAYS = 9
SPEC = """
from datetime import date
from pathlib import Path

from mlops_tasks.specs import DatasetSpec, FunctionSource, InputSpec, LabelSpec, ModelSpec

OFFERS = DatasetSpec(
    name="shelf_offers", description="Offers.", source=FunctionSource(), start=date(2024, 3, 1),
    columns={"offer_id": "int64", "asked_at": "timestamp", "shop": "string", "price": "float64"},
    key=("offer_id",),
)
SALES = DatasetSpec(
    name="shelf_sales", description="Sales.", source=FunctionSource(), start=date(2024, 3, 1),
    columns={"offer_id": "int64", "units": "float64"}, key=("offer_id",),
)
MODEL = ModelSpec(
    name="shelf_units", description="How many?", inputs=(InputSpec(dataset=OFFERS),),
    label=LabelSpec(dataset=SALES, target="units"), problem_type="regression",
    features_sql=Path(__file__).parent / "features.sql", as_of="asked_at", categorical=("shop",),
    numeric=("price",), estimator="shelf.model:build", random_state=5, train="6d", evaluation="2d",
)
"""
MODEL = """
def encoded(last, categorical, numeric):
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), list(categorical)),
        ("passthrough", list(numeric)),
    )
    return make_pipeline(encode, last)


def build(*, categorical, numeric, random_state):
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(8, random_state=random_state)
    return encoded(forest, categorical, numeric)


def build_unseeded(*, categorical, numeric, random_state):
    from sklearn.ensemble import RandomForestRegressor

    return encoded(RandomForestRegressor(8), categorical, numeric)


def build_likely(*, categorical, numeric, random_state):
    from sklearn.linear_model import LogisticRegression

    return encoded(LogisticRegression(random_state=random_state), categorical, numeric)
"""


class ThisEnvironment(FreshEnvironments):
    """The interpreter of the tests in place of one made anew, which takes its time."""

    def python(self, environment: Environment) -> Path:
        return Path(sys.executable)


@dataclass(frozen=True)
class Shelf:
    """The project and its stores."""

    home: Path
    lake: Lake
    tracking: Tracking
    ledger: Ledger
    spec: ModelSpec
    table: TableModel

    def train(self, spec: ModelSpec | TableModel) -> RegisteredVersion:
        pin = (
            pin_table(spec, "2024-03-20", lake=self.lake)
            if isinstance(spec, TableModel)
            else pin_training_data(spec, "2024-03-20", lake=self.lake)
        )
        trained = train(spec, pin, lake=self.lake, tracking=self.tracking)
        return register(spec.name, trained, None, tracking=self.tracking, ledger=self.ledger)

    def reproduce(self, version: RegisteredVersion, **options: Any) -> Reproduction:
        given: dict[str, Any] = {"environments": ThisEnvironment(self.home / "environments")}
        return reproduce(
            version,
            lake=self.lake,
            tracking=self.tracking,
            **given | options,
        )

    def copies(self, version: RegisteredVersion, name: str) -> list[Path]:
        """Return where MLflow's store has an artifact: for people, and by its digest."""
        folder = self.artifact(version, name).parent
        return list(folder.rglob(name))

    def artifact(self, version: RegisteredVersion, name: str) -> Path:
        """Return where MLflow's store has an artifact of the version's run."""
        (path,) = (self.home / "artifacts").rglob(f"{version.run_id}/artifacts/{name}")
        return path


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("dags")
    (folder / "shelf").mkdir()
    for name, text in {"__init__": "", "spec": SPEC, "model": MODEL}.items():
        (folder / "shelf" / f"{name}.py").write_text(text)
    (folder / "shelf" / "features.sql").write_text("SELECT * FROM shelf_offers")
    sys.path.append(str(folder))
    yield folder
    sys.path.remove(str(folder))
    for name in [one for one in sys.modules if one.split(".")[0] == "shelf"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def shelf(dags: Path, tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Shelf:
    home = tmp_path_factory.mktemp("shelf")
    shutil.copy(mlflow_template, home / "mlflow.db")
    tracking = Tracking(f"sqlite:///{home}/mlflow.db", login=None)
    lake, ledger = Lake(home / "lake"), Ledger(f"sqlite:///{home}/ledger.db")
    module = import_module("shelf.spec")
    draw = np.random.default_rng(3)
    for number in range(N_DAYS):
        day = f"2024-03-{number + 1:02d}"
        offers, sales = [], []
        for row in range(40):
            price = float(draw.normal(10, 3))
            identifier = 100 * number + row
            offers.append(
                {
                    "offer_id": identifier,
                    "asked_at": datetime.fromisoformat(f"{day}T08:00:00+00:00"),
                    "shop": str(draw.choice(["a", "b", "c"])),
                    "price": price,
                }
            )
            sales.append({"offer_id": identifier, "units": 50 - 2 * price + float(draw.normal())})
        publish_rows(lake, module.OFFERS, day, offers)
        publish_rows(lake, module.SALES, day, sales)
    table = TableModel(
        name="shelf_dear",
        table=module.OFFERS,
        target="price + offer_id % 5 > 12",
        categorical=("shop",),
        numeric=("price",),
        estimator="shelf.model:build_likely",
        random_state=9,
    )
    for name in (module.MODEL.name, table.name, "other_units"):
        tracking.client.create_experiment(name, artifact_location=str(home / "artifacts" / name))
    return Shelf(home, lake, tracking, ledger, module.MODEL, table)


@pytest.fixture(scope="module")
def units(shelf: Shelf) -> RegisteredVersion:
    """Version 1 of the number, whose parameters somebody has chosen."""
    return shelf.train(shelf.spec.model_copy(update={"random_state": 11}))


@pytest.fixture
def changed(shelf: Shelf, units: RegisteredVersion) -> Iterator[Any]:
    """Return what writes something else into an artifact of the version, until the test is over."""
    before: dict[Path, bytes] = {}

    def change(name: str, content: bytes | None) -> None:
        for path in shelf.copies(units, name):
            before.setdefault(path, path.read_bytes())
            path.unlink()
            if content is not None:
                path.write_bytes(content)

    yield change
    for path, content in before.items():
        path.write_bytes(content)
