"""The same pin, parameters and environment give the same predictions, whoever fits and where."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_airflow.testing.sample_rows import publish_rows
from mlops_tasks.lake import Lake
from mlops_tasks.registry.reproduction.comparison import TOLERANCE

if TYPE_CHECKING:
    import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[3]
N_DAYS, N_OFFERS, N_VISITS = 6, 6000, 40_000
FIRST = datetime(2024, 3, 7, tzinfo=UTC)  # a clock changes within, somewhere
#: Averages of many rows, which several threads add up in parts; sets and words; two kinds of trees.
SPEC = """
    from datetime import date
    from pathlib import Path

    from mlops_tasks.specs import DatasetSpec, FunctionSource, InputSpec, LabelSpec, ModelSpec

    def dataset(name, columns, key):
        return DatasetSpec(
            name=name, description=name, source=FunctionSource(), start=date(2024, 3, 7),
            columns=columns, key=key,
        )

    OFFERS = dataset(
        "stall_offers",
        {"offer_id": "int64", "asked_at": "timestamp", "shop": "string", "price": "float64"},
        ("offer_id",),
    )
    VISITS = dataset(
        "stall_visits",
        {"visit_id": "int64", "left_at": "timestamp", "shop": "string", "minutes": "float64"},
        ("visit_id",),
    )
    SALES = dataset("stall_sales", {"offer_id": "int64", "units": "int64"}, ("offer_id",))

    def model(name, **fields):
        return ModelSpec(
            name=name, description=name,
            inputs=(InputSpec(dataset=OFFERS), InputSpec(dataset=VISITS, lookback="1d")),
            features_sql=Path(__file__).parent / "features.sql", as_of="asked_at",
            observed_at=("seen_at",), categorical=("shop",),
            numeric=("price", "minutes", "weekday"), random_state=7, train="3d", evaluation="1d",
            **fields,
        )

    NUMBER = model(
        "stall_units", problem_type="regression", estimator="stall.model:build_number",
        label=LabelSpec(dataset=SALES, target="units"),
    )
    CLASS = model(
        "stall_sold", estimator="stall.model:build_class",
        label=LabelSpec(dataset=SALES, target="units > 5"),
    )
"""
FEATURES = """
    SELECT o.offer_id, o.asked_at, o.shop, o.price, dayofweek(o.asked_at) AS weekday,
           avg(v.minutes) AS minutes, max(v.left_at) AS seen_at
    FROM stall_offers o
    JOIN stall_visits v
      ON v.shop = o.shop AND v.left_at < date_trunc('day', o.asked_at)
     AND v.left_at >= date_trunc('day', o.asked_at) - INTERVAL 1 DAY
    GROUP BY ALL
"""
MODEL = """
    def encoded(encoder, trees, categorical, numeric):
        from sklearn.compose import make_column_transformer
        from sklearn.pipeline import make_pipeline

        columns = make_column_transformer(
            (encoder, list(categorical)), ("passthrough", list(numeric))
        )
        return make_pipeline(columns, trees)


    def build_number(*, categorical, numeric, random_state):
        from sklearn.ensemble import HistGradientBoostingRegressor
        from sklearn.model_selection import KFold
        from sklearn.preprocessing import TargetEncoder

        folds = KFold(5, shuffle=True, random_state=random_state)
        encoder = TargetEncoder(target_type="continuous", cv=folds)
        trees = HistGradientBoostingRegressor(max_iter=20, random_state=random_state)
        return encoded(encoder, trees, categorical, numeric)


    def build_class(*, categorical, numeric, random_state):
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.preprocessing import OneHotEncoder

        forest = RandomForestClassifier(10, random_state=random_state, n_jobs=-1, max_depth=6)
        return encoded(OneHotEncoder(handle_unknown="ignore"), forest, categorical, numeric)
"""
#: What a training does, and the predictions of its evaluation; without a store, which takes longer.
FIT = """
    import json, sys
    from pathlib import Path

    import numpy as np
    from stall.spec import CLASS, NUMBER

    from mlops_tasks.features import feature_frame, labelled_rows
    from mlops_tasks.lake import Lake, TrainingPin
    from mlops_tasks.problem_types import TARGET, problem_type
    from mlops_tasks.problem_types.estimator import build_estimator, fit_estimator
    from mlops_tasks.registry.reproduction import Fingerprint
    from mlops_tasks.serialization import to_json
    from mlops_tasks.steps.pin import pin_training_data

    lake, found, told = Lake(Path(sys.argv[1])), {}, {}
    for spec in (NUMBER, CLASS):
        problem = problem_type(spec.problem_type)
        pin = pin_training_data(spec, "2024-03-13", lake=lake)
        rows = labelled_rows(spec, pin, pin.train, lake=lake)
        target = rows.column(TARGET).to_numpy(zero_copy_only=False)
        frame = feature_frame(spec, rows)
        model = build_estimator(spec, problem, None)
        fit_estimator(spec, problem, model, frame, target, None)
        asked = feature_frame(
            spec, labelled_rows(spec, pin, pin.evaluation, lake=lake, learn=False)
        )
        answer = problem.predict(spec, model, asked)
        name = "prediction" if problem.name == "regression" else "score"
        found[spec.name] = np.asarray(answer[name])
        told[spec.name] = {"pin": pin.digest} | to_json(
            Fingerprint.of(spec, model, frame, target, None, "")
        )
    np.savez(sys.argv[2], **found)
    print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def stall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, and rows of it in a lake."""
    home = tmp_path_factory.mktemp("stall")
    (home / "stall").mkdir()
    files = {"stall/__init__.py": "", "stall/spec.py": SPEC, "stall/model.py": MODEL}
    for name, text in (files | {"stall/features.sql": FEATURES, "fit.py": FIT}).items():
        (home / name).write_text(dedent(text))
    sys.path.append(str(home))
    try:
        _publish(Lake(home / "lake"))
    finally:
        sys.path.remove(str(home))
        for name in [one for one in sys.modules if one.split(".")[0] == "stall"]:
            del sys.modules[name]
    return home


def _publish(lake: Lake) -> None:
    from stall.spec import OFFERS, SALES, VISITS  # type: ignore[import-not-found]

    draw, shops = np.random.default_rng(3), np.array([f"shop {n}" for n in range(40)])
    for number in range(N_DAYS):
        day = FIRST + timedelta(days=number)

        def times(seconds: npt.NDArray[np.int64], day: datetime = day) -> pa.Array:
            return pa.array([day + timedelta(seconds=int(s)) for s in seconds])

        ids = np.arange(N_OFFERS) + number * N_OFFERS
        price, shop = draw.lognormal(2, 0.4, N_OFFERS), draw.integers(0, 40, N_OFFERS)
        offers = {"offer_id": ids, "asked_at": times(draw.integers(0, 86_400, N_OFFERS))}
        offers |= {"shop": shops[shop], "price": price}
        publish_rows(lake, OFFERS, f"{day:%F}", pa.table(offers))
        units = draw.poisson(np.exp(2 - price / 12 + shop % 7 / 10))
        publish_rows(lake, SALES, f"{day:%F}", pa.table({"offer_id": ids, "units": units}))
        visits = {
            "visit_id": np.arange(N_VISITS) + number * N_VISITS,
            "left_at": times(draw.integers(0, 86_400, N_VISITS)),
            "shop": shops[draw.integers(0, 40, N_VISITS)],
            "minutes": draw.lognormal(1, 1.5, N_VISITS),
        }
        publish_rows(lake, VISITS, f"{day:%F}", pa.table(visits))


def fitted(home: Path, name: str, **variables: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fit in a process of its own, with these variables; return fingerprints and predictions."""
    folders = os.pathsep.join([str(home), str(ROOT), str(ROOT / "plugins")])
    env = {k: v for k, v in os.environ.items() if not k.startswith(("COV", "OMP", "MLOPS"))}
    done = subprocess.run(
        [sys.executable, "fit.py", "lake", f"{name}.npz"],
        env=env | {"PYTHONPATH": folders} | variables,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with np.load(home / f"{name}.npz") as file:
        return json.loads(done.stdout), dict(file)


def threads(number: int) -> dict[str, str]:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MLOPS_THREADS", "LOKY_MAX_CPU_COUNT")
    return dict.fromkeys(names, str(number))


@pytest.mark.slow
def test_process_zone_and_hash_seed_change_no_prediction_and_threads_only_last_digits(
    stall: Path,
) -> None:
    one = fitted(stall, "one", TZ="Etc/UTC", PYTHONHASHSEED="0", **threads(2))
    other = fitted(stall, "other", TZ="America/New_York", PYTHONHASHSEED="4242", **threads(2))
    fewer = fitted(stall, "fewer", TZ="Etc/UTC", PYTHONHASHSEED="0", **threads(1))
    assert one[0] == other[0] == fewer[0], "pin, parameters, features, target"
    for name, values in one[1].items():
        assert len(np.unique(values)) > 100, "a constant would be repeatable, too"
        assert np.array_equal(values, other[1][name]), name
        # The sums of a fit, added up in other parts: what `mlops reproduce` takes for the same.
        most = TOLERANCE * np.abs(values).max()
        np.testing.assert_allclose(fewer[1][name], values, rtol=0, atol=most, err_msg=name)
