"""Operators alone: a table, a target and an estimator are enough, and nothing is lost by it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from mlops_airflow.operators.evaluate import EvaluateModelOperator
from mlops_airflow.operators.ingest import IngestPartitionOperator
from mlops_airflow.operators.promote import PromoteModelOperator
from mlops_airflow.operators.register import RegisterModelOperator
from mlops_airflow.operators.score import ScorePartitionOperator
from mlops_airflow.operators.train import TrainModelOperator
from mlops_airflow.operators.validate import ValidatePartitionOperator
from mlops_tasks.exceptions import (
    LeakageError,
    PartitionNotFoundError,
    SpecError,
    UnsafeModelError,
)
from mlops_tasks.lake import TrainingPin
from mlops_tasks.registry.artifacts import PIN_FILE, evidence_path
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.versions import TrainResult
from mlops_tasks.serialization import from_json
from mlops_tasks.specs import GateSpec, ModelSpec
from tests.unit.operators.conftest import context
from tests.unit.stores import Stores, copy_stores, new_stores
from tests.unit.visits import N_DAYS, PER_DAY, PLAIN, VISITS, day, publish, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking

    Clinic = tuple[Lake, Ledger, Tracking]

LAST_TRAINED, LAST = day(13), day(N_DAYS - 1)


def run(operator: Any, key: str | None = LAST, **options: Any) -> Any:
    """Execute an operator as Airflow would, and give back what XCom would."""
    return json.loads(json.dumps(operator.execute(context(operator, key=key, **options))))


def connect_all(patch: pytest.MonkeyPatch, stores: Stores) -> None:
    """Put stores behind the connections that operators use."""
    connections: dict[str, dict[str, Any]] = {
        "lake_default": {"conn_type": "file", "extra": {"path": f"{stores.home}/lake"}},
        "ledger_default": {"conn_type": "sqlite", "host": f"{stores.home}/ledger.db"},
        "mlflow_default": {"conn_type": "sqlite", "host": f"{stores.home}/mlflow.db"},
    }
    for name, fields in connections.items():
        patch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))


@dataclass(frozen=True)
class Played:
    """Stores after each stage, and what the operators gave."""

    stores: dict[str, Stores]
    trained: Any
    promoted: tuple[Any, Any, Any]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Played:
    """Publish three weeks of visits, train and promote a first champion, all once."""
    home, kept = tmp_path_factory.mktemp("clinic"), {}
    stores = new_stores(home / "now", mlflow_template, "no_show")
    with pytest.MonkeyPatch.context() as patch:
        connect_all(patch, stores)
        publish(stores.lake)
        kept["published"] = copy_stores(stores, home / "published")
        trained = run(train())
        kept["trained"] = copy_stores(stores, home / "trained")
        promoted = (trained, *promote(trained))
        kept["promoted"] = stores
    return Played(kept, trained, promoted)


@pytest.fixture
def clinic(
    request: pytest.FixtureRequest, played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Clinic:
    """Stores of this test's own, as far on as it asks for."""
    asked = [stage for stage in ("promoted", "trained") if stage in request.fixturenames]
    stage = asked[0] if asked else "published"
    stores = copy_stores(played.stores[stage], tmp_path / "stores")
    connect_all(monkeypatch, stores)
    return stores.lake, stores.ledger, stores.tracking


@pytest.fixture
def trained(clinic: Clinic, played: Played) -> Any:
    """What the training of the clinic's first model gave."""
    return played.trained


@pytest.fixture
def promoted(clinic: Clinic, played: Played) -> tuple[Any, Any, Any]:
    """A first champion, all from plain arguments."""
    return played.promoted


def train(**options: Any) -> TrainModelOperator:
    return TrainModelOperator(task_id="train", **({"last": LAST_TRAINED} | PLAIN | options))


def evaluate(trained: Any, **options: Any) -> EvaluateModelOperator:
    return EvaluateModelOperator(task_id="evaluate", trained=trained, **options)


def promote(trained: Any) -> tuple[Any, Any]:
    """Judge, register and promote what was trained; return the verdict and the champion."""
    verdict = run(evaluate(trained))
    registered = run(
        RegisterModelOperator(task_id="r", model="no_show", trained=trained, verdict=verdict)
    )
    operator = PromoteModelOperator(
        task_id="p", model="no_show", registered=registered, verdict=verdict
    )
    return verdict, run(operator)


# --- ingest and validate


def test_a_dataset_alone_is_ingested_and_validated(clinic: Clinic) -> None:
    key = day(N_DAYS)
    raw = run(IngestPartitionOperator(task_id="i", dataset=VISITS, partition=key), key=None)
    assert (raw["table"], raw["partition"], raw["n_rows"]) == ("visits__raw", key, PER_DAY)
    published = run(ValidatePartitionOperator(task_id="v", dataset=VISITS, partition=key), key=None)
    assert published["raw_version"] == raw["version"]
    found = clinic[0].table("visits").read(first=key, last=key).sort_by("visit_id")
    assert found.equals(rows_of(key).sort_by("visit_id"))


def test_bad_rows_are_quarantined_without_a_suite(clinic: Clinic) -> None:
    assert VISITS.expectations is None
    strict = VISITS.model_copy(update={"columns": VISITS.columns | {"came": "bool"}})
    key = day(N_DAYS)
    raw = run(IngestPartitionOperator(task_id="i", dataset=VISITS, partition=key))
    found = run(ValidatePartitionOperator(task_id="v", dataset=strict, raw=raw))
    assert (found["n_validated"], found["n_quarantined"]) == (PER_DAY - 1, 1)
    assert clinic[0].table("visits__quarantine").read().num_rows == 1


def test_nothing_to_validate_is_said(clinic: Clinic) -> None:
    operator = ValidatePartitionOperator(task_id="v", dataset=VISITS, partition=day(1))
    with pytest.raises(PartitionNotFoundError, match="no raw rows of 2024-03-02 to validate"):
        run(operator)


# --- train


def test_a_training_pins_what_it_reads_and_writes_it_down(clinic: Clinic) -> None:
    lake, ledger, tracking = clinic
    operator = train(as_of=LAST)
    trained = run(operator)
    pin = lake.table("visits").pin(first=day(0), last=LAST_TRAINED, known_at=LAST)
    recorded = ledger.newest("no_show", EvidenceKind.PIN, key=LAST)
    assert recorded is not None
    assert recorded.evidence["labels"]["digest"] == pin.digest
    kept = from_json(TrainingPin, tracking.read_json(trained["run_id"], PIN_FILE))
    assert (kept.train, kept.labels, kept.inputs) == ((day(0), LAST_TRAINED), pin, {"visits": pin})
    assert trained["n_rows"] == 14 * (PER_DAY - 1)  # of one visit a day nobody knows
    assert operator.mlflow_run_url.endswith(f"/runs/{trained['run_id']}")


def test_only_what_was_known_is_trained_on(clinic: Clinic) -> None:
    trained = run(train(last=None, as_of=day(4)))
    assert trained["n_rows"] == 5 * (PER_DAY - 1)


def test_a_function_can_be_the_estimator(clinic: Clinic, trained: Any) -> None:
    from tests.unit.visits import build

    named, given = trained, run(train(estimator=build))
    rows = rows_of(LAST).to_pandas()
    ours, theirs = (
        clinic[2].load(one["model_uri"], one["digest"]).predict_proba(rows)
        for one in (named, given)
    )
    assert (ours == theirs).all()


def test_the_same_rows_give_the_same_model_in_any_table_of_them(
    clinic: Clinic, trained: Any
) -> None:
    """A table by its name is the same as its dataset; only its key is not known."""
    named = run(train(table="visits"))
    assert named["n_rows"] == trained["n_rows"]


# --- evaluate


def test_an_evaluation_is_of_later_rows(clinic: Clinic, trained: Any) -> None:
    from sklearn.metrics import roc_auc_score

    verdict = run(evaluate(trained))
    model = clinic[2].load(trained["model_uri"], trained["digest"])
    rows = clinic[0].table("visits").read(first=day(14), last=LAST).to_pandas().dropna()
    scores = model.predict_proba(rows[["clinic", "age", "lead_days"]])[:, 1]
    wanted = roc_auc_score(~rows["came"].astype(bool), scores)
    assert verdict["challenger"]["roc_auc"] == pytest.approx(wanted)
    assert (verdict["verdict"], verdict["n_rows"]) == ("promote", 7 * (PER_DAY - 1))


def test_rows_of_the_training_do_not_judge(clinic: Clinic, trained: Any) -> None:
    with pytest.raises(LeakageError, match="trained on days up to 2024-03-14"):
        run(evaluate(trained, first=day(10)))


def test_a_verdict_is_given_once_for_the_same_rows_and_gate(clinic: Clinic, trained: Any) -> None:
    ledger = clinic[1]
    first = run(evaluate(trained, as_of=LAST))
    assert run(evaluate(trained, as_of=LAST)) == first
    assert len(ledger.entries(model="no_show", kind=EvidenceKind.VERDICT, history=True)) == 1
    other = run(evaluate(trained, as_of=LAST, gate=GateSpec(metric="log_loss")))
    fewer = run(evaluate(trained, as_of=LAST, first=day(17)))
    assert (other["metric"], fewer["n_rows"]) == ("log_loss", 4 * (PER_DAY - 1))
    assert len(ledger.entries(model="no_show", kind=EvidenceKind.VERDICT, history=True)) == 3


# --- register, promote, score


def test_a_model_that_nobody_judged_says_so(clinic: Clinic, trained: Any) -> None:
    operator = RegisterModelOperator(task_id="r", model="no_show", trained=trained)
    registered = run(operator)
    version = clinic[2].by_version("no_show", registered["version"])
    assert version.tags["mlops.verdict"] == "not judged"
    assert version.aliases == ["challenger"]
    assert operator.mlflow_version_url.endswith("/models/no_show/versions/1")
    with pytest.raises(AirflowSkipException, match="no champion yet; promote a version"):
        run(ScorePartitionOperator(task_id="s", model="no_show"))
    scored = run(ScorePartitionOperator(task_id="s", model="models:/no_show@challenger"))
    assert scored["model_version"] == "1"


def test_the_champion_scores_a_partition(clinic: Clinic, promoted: tuple[Any, Any, Any]) -> None:
    trained, _, champion = promoted
    assert champion == {"name": "no_show", "version": "1"}
    operator = ScorePartitionOperator(task_id="s", model="no_show", into="no_show_scores")
    scored = run(operator)
    assert scored["predictions"]["table"] == "no_show_scores"
    found = clinic[0].table("no_show_scores").read().sort_by("visit_id").to_pandas()
    rows = rows_of(LAST).sort_by("visit_id").to_pandas()
    model = clinic[2].load(trained["model_uri"], trained["digest"])
    assert list(found["visit_id"]) == list(rows["visit_id"])
    assert found["score"].to_numpy() == pytest.approx(
        model.predict_proba(rows[["clinic", "age", "lead_days"]])[:, 1]
    )
    assert set(found["model_version"]) == {"1"}
    assert operator.mlflow_version_url.endswith("/models/no_show/versions/1")


def test_a_table_without_a_key_cannot_be_scored(clinic: Clinic) -> None:
    trained = run(train(table="visits"))
    run(RegisterModelOperator(task_id="r", model="no_show", trained=trained))
    options: dict[str, Any] = {"task_id": "s", "model": "models:/no_show/1"}
    with pytest.raises(SpecError, match="give key=, or table= as a DatasetSpec"):
        run(ScorePartitionOperator(**options))
    for more in ({"key": ("visit_id",)}, {"table": VISITS}):
        scored = run(ScorePartitionOperator(**options, **more))
        assert scored["predictions"]["n_rows"] == PER_DAY


def test_another_table_needs_the_same_columns(
    clinic: Clinic, promoted: tuple[Any, Any, Any]
) -> None:
    from mlops_tasks.lake import overwrite_partition

    rows = rows_of(LAST).drop_columns(["age"])
    overwrite_partition(clinic[0].table("walk_ins"), LAST, rows, token=1, known_at=LAST)
    operator = ScorePartitionOperator(task_id="s", model="no_show", table="walk_ins")
    with pytest.raises(SpecError, match=r"table 'walk_ins' has no column 'age'; there are"):
        run(operator)


def test_what_the_training_kept_is_not_believed_when_changed(
    clinic: Clinic, promoted: tuple[Any, Any, Any]
) -> None:
    path = evidence_path("table_model.json", promoted[0]["artifacts"]["table_model.json"])
    clinic[2].log_json(promoted[0]["run_id"], path, {"threshold": 0})
    with pytest.raises(UnsafeModelError, match="was changed in MLflow"):
        run(ScorePartitionOperator(task_id="s", model="no_show"))


def test_results_are_records(played: Played) -> None:
    trained = from_json(TrainResult, played.trained)
    assert set(trained.artifacts) >= {"pin.json", "table_model.json"}


# --- wrong uses


def wrong_train(**options: Any) -> Callable[[], Any]:
    return lambda: train(**options)


def without(name: str) -> Callable[[], Any]:
    return lambda: TrainModelOperator(
        task_id="train", **{key: value for key, value in PLAIN.items() if key != name}
    )


WRONG_AT_PARSE: dict[str, tuple[Callable[[], Any], str]] = {
    "no target": (without("target"), r"TrainModelOperator 'train': .*\n  target: Field required"),
    "no table": (without("table"), "Give table=, a DatasetSpec or the name of a table"),
    "no estimator": (without("estimator"), "estimator: Field required"),
    "no such module": (
        wrong_train(estimator="tests.unit.visitz:build"),
        "'tests.unit.visitz:build' cannot be imported: there is no module 'tests.unit.visitz'",
    ),
    "no such function": (
        wrong_train(estimator="tests.unit.visits:bild"),
        "defines no 'bild'; did you mean 'build'",
    ),
    "no such column": (
        wrong_train(numeric=("age", "lead_day")),
        "table 'visits' has no column 'lead_day'; did you mean 'lead_days'",
    ),
    "a wrong problem type": (
        wrong_train(problem_type="classification"),
        "problem_type: Input should be 'binary', 'multiclass' or 'regression'",
    ),
    "an unknown metric": (
        wrong_train(gate=GateSpec(metric="rocauc")),
        "'rocauc' is no metric of binary; did you mean 'roc_auc'",
    ),
    "a metric of another problem type": (
        wrong_train(gate=GateSpec(metric="mae")),
        r"'mae' is no metric of binary \(it is one of regression\)",
    ),
    "an unknown metric of an evaluation": (
        lambda: evaluate({}, gate=GateSpec(metric="acuracy")),
        "'acuracy' is no metric",
    ),
    "the target as a feature": (
        wrong_train(target="age"),
        "the target itself is a feature",
    ),
    "a pin beside a table": (wrong_train(pin={}), "pin= belongs to model="),
    "a dataset by its name": (
        lambda: IngestPartitionOperator(task_id="i", dataset="visits"),  # type: ignore[arg-type]
        "IngestPartitionOperator 'i': dataset= is a DatasetSpec, .* not str 'visits'",
    ),
    "a model by a wrong name": (
        lambda: ScorePartitionOperator(task_id="s", model="models:/no_show@production"),
        "names no model; write 'no_show', 'models:/no_show@champion'",
    ),
    "a table by a wrong name": (
        lambda: ScorePartitionOperator(task_id="s", model="no_show", into="No Show"),
        "ScorePartitionOperator 's': into=: name 'No Show' is not allowed",
    ),
    "a version to register as": (
        lambda: RegisterModelOperator(task_id="r", model="models:/no_show/3", trained={}),
        "names a version; write 'no_show' for a new one",
    ),
}


@pytest.mark.parametrize("wrong", WRONG_AT_PARSE)
def test_wrong_uses_are_refused_while_the_dag_is_parsed(wrong: str) -> None:
    make, text = WRONG_AT_PARSE[wrong]
    with pytest.raises(SpecError, match=text):
        make()


def test_a_spec_and_plain_arguments_are_refused(spec: ModelSpec) -> None:
    with pytest.raises(SpecError, match=r"\['name', 'table', 'target'\] are given beside it"):
        TrainModelOperator(task_id="t", model=spec, pin={}, name="x", table="visits", target="came")
    with pytest.raises(SpecError, match="model= needs pin="):
        TrainModelOperator(task_id="t", model=spec)
    with pytest.raises(SpecError, match="model= and pin= belong together"):
        EvaluateModelOperator(task_id="e", model=spec, trained={})
    with pytest.raises(SpecError, match=r"\['into'\] belong to a model that is named by a text"):
        ScorePartitionOperator(task_id="s", model=spec, into="x")


@pytest.mark.parametrize("rendered", ["", "None", " "])
def test_a_partition_that_renders_empty_is_refused(clinic: Clinic, rendered: str) -> None:
    for operator in (
        IngestPartitionOperator(task_id="i", dataset=VISITS, partition=rendered),
        train(last=rendered),
    ):
        with pytest.raises(AirflowFailException, match="names no partition; a template like"):
            run(operator)


def test_an_unsafe_estimator_is_refused_before_its_fit(clinic: Clinic) -> None:
    with pytest.raises(UnsafeModelError, match="cannot be saved, so it is not fitted"):
        run(train(estimator="tests.unit.visits:build_unsafe"))


def test_a_table_without_commits_is_refused_before_it_is_read(clinic: Clinic) -> None:
    with pytest.raises(PartitionNotFoundError, match=r"'visitors' has no rows .* it has nothing"):
        run(train(table="visitors"))
    with pytest.raises(PartitionNotFoundError, match="it has 2024-03-01 to 2024-03-21"):
        run(train(first=day(30), last=day(40)))


def test_a_column_that_only_the_lake_knows_is_refused_before_it_is_read(clinic: Clinic) -> None:
    with pytest.raises(SpecError, match="has no column 'lead_day'; did you mean 'lead_days'"):
        run(train(table="visits", numeric=("lead_day",)))
