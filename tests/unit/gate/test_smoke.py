"""The smoke test: files of real models of every kind, asked in a process that may die of it."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.features.feature_types import estimator_frame, remember_forms, spec_forms
from mlops_tasks.gate.smoke import run_smoke_test
from mlops_tasks.gate.smoke.process import SmokeTest
from mlops_tasks.gate.smoke.running import read_result
from mlops_tasks.registry.modelfiles import files_digest, write_extra_files
from mlops_tasks.registry.modelfiles.boosters import detached_boosters
from mlops_tasks.registry.modelfiles.files import model_bytes
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.specs import TableModel

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.gate.smoke import SmokeTestResult

N = 60


def rows(n: int = N) -> pa.Table:
    random = np.random.default_rng(3)
    return pa.table(
        {
            "shop": random.choice(["bakery", "florist", "grocer"], n),
            "items": random.integers(1, 9, n),
            "speed": [None if i % 7 == 0 else float(i) for i in range(n)],
            "note": [None if i % 9 == 0 else f"word{i % 5} late" for i in range(n)],
        }
    )


def encoded(last: Any, *, unknown: str = "ignore", impute: bool = True) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    encode = ColumnTransformer(
        [
            ("shop", OneHotEncoder(handle_unknown=unknown), ["shop"]),
            ("numbers", SimpleImputer() if impute else "passthrough", ["items", "speed"]),
            ("note", TfidfVectorizer(), "note"),
        ]
    )
    return Pipeline([("encode", encode), ("model", last)])


def spec(problem_type: str = "binary", **changes: Any) -> TableModel:
    fields: dict[str, Any] = {
        "name": "late_orders",
        "problem_type": problem_type,
        "table": "orders",
        "target": "late",
        "categorical": ("shop",),
        "numeric": ("items", "speed"),
        "text": ("note",),
        "estimator": "tests.unit.gate.test_smoke:build",
    }
    return TableModel(**fields | changes)


TARGETS = {
    "binary": np.arange(N) % 2,
    "multiclass": np.array(["a", "b", "c"])[np.arange(N) % 3],
    "regression": np.sqrt(np.arange(N)),
}


def saved(folder: Path, model: Any, *, golden: bool = True, names: Any = ()) -> RegisteredVersion:
    """Write the files of a fitted model, as training does."""
    import skops.io

    (folder / "extra_files").mkdir(parents=True)
    frame = estimator_frame("", rows(), list(model.feature_names_in_), forms(model))
    write_extra_files(model, folder / "extra_files", names, rows=frame if golden else None)
    with detached_boosters(model):
        skops.io.dump(model, folder / "model.skops")
    return RegisteredVersion("late_orders", "1", "run", "models:/m-1", files_digest(folder))


def forms(model: Any) -> dict[str, str]:
    known = spec()
    return spec_forms(known.categorical, list(model.feature_names_in_), known.text)


def fitted(model: Any, problem_type: str = "binary", *, beside: Any = None) -> Any:
    known = beside or spec(problem_type)
    own = spec_forms(known.categorical, known.features, known.text)
    model.fit(estimator_frame("", rows(), known.features, own), TARGETS[problem_type])
    remember_forms(model, own)
    return model


def ask(
    asked: TableModel, version: RegisteredVersion, folder: Path, some: pa.Table
) -> SmokeTestResult:
    """Test in this process: a process of its own costs seconds, and has tests of its own."""
    told: list[Any] = []
    hidden = asked.has_personal
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        SmokeTest(asked, some, folder, hidden=hidden, tell=told.append).run(version.digest)
    return read_result(version, model_bytes(folder), told, "")


def run(folder: Path, model: Any, problem_type: str = "binary", **options: Any) -> SmokeTestResult:
    version = saved(folder / "model", model, **options)
    return ask(spec(problem_type), version, folder / "model", rows())


def answers(result: SmokeTestResult) -> dict[str, str]:
    return {query.name: query.answer for query in result.queries}


def text(result: SmokeTestResult, name: str) -> str:
    return next(query.text for query in result.queries if query.name == name)


def estimator(problem_type: str, kind: str) -> Any:
    from lightgbm import LGBMRegressor
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression, Ridge
    from xgboost import XGBClassifier

    return {
        ("binary", "linear"): LogisticRegression(),
        ("multiclass", "trees"): RandomForestClassifier(5, random_state=0),
        ("regression", "linear"): Ridge(),
        ("binary", "xgboost"): XGBClassifier(n_estimators=3),
        ("regression", "lightgbm"): LGBMRegressor(n_estimators=3, verbose=-1),
    }[problem_type, kind]


@pytest.mark.parametrize(
    ("problem_type", "kind"),
    [
        ("binary", "linear"),
        ("multiclass", "trees"),
        ("regression", "linear"),
        ("binary", "xgboost"),
        ("regression", "lightgbm"),
    ],
)
def test_a_sound_model_answers_everything(tmp_path: Path, problem_type: str, kind: str) -> None:
    model = fitted(encoded(estimator(problem_type, kind)), problem_type)
    result = run(tmp_path, model, problem_type)
    if kind == "xgboost":  # once for real, with a library that the process must find by itself
        version = saved(tmp_path / "real", model)
        result = run_smoke_test(spec(problem_type), version, tmp_path / "real", rows())
    assert result.passed, result.reason
    found = answers(result)
    assert set(found.values()) == {"passed"}, result.queries
    assert list(found)[:3] == [
        "load the files, digest compared with the ledger",
        "golden rows",
        "valid rows",
    ]
    assert {"a null in a row", "an unseen category in a row", "an extreme number in a row"} <= set(
        found
    )
    assert {"a missing column", "text in place of a number", "bytes in place of a text"} <= set(
        found
    )
    assert "a number in place of a free text" in found
    assert "20 of 20 get the answer" in text(result, "golden rows")
    assert result.load_s is not None
    assert result.model_bytes > 1000
    assert result.memory_bytes is not None
    assert result.latency is not None
    assert 0 < result.latency.p50_ms <= result.latency.p99_ms


def test_changed_files_are_not_even_loaded(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    version = saved(tmp_path / "model", fitted(encoded(LogisticRegression())))
    (tmp_path / "model" / "more.txt").write_text("one")
    result = ask(spec(), version, tmp_path / "model", rows())
    assert not result.passed
    assert [query.answer for query in result.queries] == ["failed"]
    assert "were changed after registration" in result.reason
    assert result.latency is None


def test_what_cannot_take_odd_rows_is_named_and_no_failure(tmp_path: Path) -> None:
    """Its own data may never have such rows; who promotes it should know all the same."""
    from sklearn.linear_model import LogisticRegression

    known = spec(numeric=("items",))
    model = fitted(
        encoded(LogisticRegression(), unknown="error", impute=False).set_params(
            encode__transformers=[
                ("shop", _one_hot(), ["shop"]),
                ("items", "passthrough", ["items"]),
            ]
        ),
        beside=spec(numeric=("items",), text=()),
    )
    version = saved(tmp_path / "model", model)
    result = ask(
        known.model_copy(update={"text": ()}),
        version,
        tmp_path / "model",
        rows().select(["shop", "items"]),
    )
    assert result.passed
    found = answers(result)
    assert found["a null in a row"] == "warned"
    assert found["an unseen category in a row"] == "warned"
    said = text(result, "an unseen category in a row")
    assert said.startswith("refused for shop, and a refused row stops its partition: Estimator")
    assert "ignore unknown categories" in said
    assert "an unseen category in a row: warned" in result.reason


def _one_hot() -> Any:
    from sklearn.preprocessing import OneHotEncoder

    return OneHotEncoder(handle_unknown="error")


def centred(frame: Any) -> Any:
    """Depend on the rows beside: what no feature may."""
    numbers = np.nan_to_num(np.asarray(frame[["items", "speed"]], dtype=float))
    return numbers - numbers.mean(axis=0)


def dies(frame: Any) -> Any:
    """End the process at an unseen category, as compiled code may."""
    if frame["shop"].astype(str).str.startswith("never").any():
        os.kill(os.getpid(), 11)
    return np.nan_to_num(np.asarray(frame[["items", "speed"]], dtype=float))


def raises(frame: Any) -> Any:
    """Print, and raise an error that names a value of a row."""
    print('{"done": true}')  # noqa: T201
    if len(frame):
        raise RuntimeError(f"no idea what {frame['shop'].iloc[0]} is")
    return frame


def with_function(function: Any) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    return Pipeline(
        [("own", FunctionTransformer(function)), ("model", LogisticRegression(max_iter=500))]
    )


def own(folder: Path, function: Any, *, test: Any = ask, **changes: Any) -> SmokeTestResult:
    """Test a model with a function of the project, which here is this package of tests."""
    model = fitted(with_function(function)) if function is not raises else _unfit()
    name = f"{__name__}.{function.__name__}"
    version = saved(folder / "model", model, names=[name])
    return test(spec(**changes), version, folder / "model", rows())  # type: ignore[no-any-return]


def _unfit() -> Any:
    model = fitted(with_function(centred))
    model.named_steps["own"].func = raises
    return model


def test_a_score_that_depends_on_other_rows_fails(tmp_path: Path) -> None:
    result = own(tmp_path, centred)
    assert not result.passed
    assert "valid rows: 20 of 20 rows get another score alone than among others" in result.reason


def test_a_process_that_dies_has_failed_at_its_query(tmp_path: Path) -> None:
    result = own(tmp_path, dies, test=run_smoke_test)
    assert not result.passed
    assert result.queries[-1].name == "an unseen category in a row, shop"
    assert result.queries[-1].text == "its process was ended by SIGSEGV"
    assert answers(result)["valid rows"] == "passed"


def test_what_a_model_prints_is_not_taken_for_an_answer(tmp_path: Path) -> None:
    result = own(tmp_path, raises, test=run_smoke_test)
    assert not result.passed
    assert "valid rows: not scored: EstimatorError" in result.reason
    assert "no idea what" in result.reason


def test_a_value_of_a_person_is_in_no_reason(tmp_path: Path) -> None:
    columns = {"shop": "string", "items": "int64", "speed": "float64?", "note": "string?"}
    result = own(tmp_path, raises, columns=columns, personal=("shop",), target="items > 1")
    assert not result.passed
    assert "valid rows: not scored: EstimatorError" in result.reason
    assert not any(shop in result.reason for shop in ("bakery", "florist", "grocer"))


def test_no_golden_rows_is_no_proof_and_no_failure(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    result = run(tmp_path, fitted(encoded(LogisticRegression())), golden=False)
    assert result.passed
    assert answers(result)["golden rows"] == "cannot tell"


def test_other_answers_to_golden_rows_fail(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    folder = tmp_path / "model"
    saved(tmp_path / "other", fitted(encoded(LogisticRegression(C=0.01))))
    saved(folder, fitted(encoded(LogisticRegression())))
    golden = "extra_files/golden_rows.arrow"
    (folder / golden).write_bytes((tmp_path / "other" / golden).read_bytes())
    version = RegisteredVersion("late_orders", "1", "run", "models:/m-1", files_digest(folder))
    result = ask(spec(), version, folder, rows())
    assert not result.passed
    assert "golden rows: 0 of 20 get the answer of the training" in result.reason


def test_no_variable_of_the_task_reaches_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", "secret")
    monkeypatch.setattr(
        "mlops_tasks.gate.smoke.running.subprocess.run",
        lambda *_, env, **__: pytest.fail(f"{env}") if "AIRFLOW_CONN_SHOP" in env else _done(),
    )
    from sklearn.linear_model import LogisticRegression

    version = saved(tmp_path / "model", fitted(encoded(LogisticRegression())))
    result = run_smoke_test(spec(), version, tmp_path / "model", rows())
    assert result.reason == "the start of the process: its process failed: no room"


def _done() -> Any:
    from types import SimpleNamespace

    return SimpleNamespace(returncode=1, stdout=b"", stderr=b"Traceback\nno room\n")
