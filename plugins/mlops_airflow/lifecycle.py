"""From a spec to its Dags: the loop of DESIGN, wired once for every model."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import (
    DAG,
    CronPartitionTimetable,
    Param,
    PartitionedAssetTimetable,
)

from mlops_airflow import assets
from mlops_airflow.definitions import (
    built_here,
    is_built_elsewhere,
    refuse_second_definition,
)
from mlops_airflow.operators.decide import DecideRetrainingOperator, RequestRetrainingOperator
from mlops_airflow.operators.evaluate import EvaluateModelOperator
from mlops_airflow.operators.ingest import IngestPartitionOperator
from mlops_airflow.operators.monitor import MeasureDriftOperator, MeasurePerformanceOperator
from mlops_airflow.operators.pin import PinTrainingDataOperator
from mlops_airflow.operators.promote import PromoteModelOperator
from mlops_airflow.operators.register import RegisterModelOperator
from mlops_airflow.operators.score import ScorePartitionOperator
from mlops_airflow.operators.train import TrainModelOperator
from mlops_airflow.operators.validate import ValidatePartitionOperator
from mlops_airflow.retries import task_defaults
from mlops_airflow.run_conf import refuse_unknown_conf
from mlops_tasks.partitions import PARTITION_FORMAT, PERIOD, Day, shift_day

if TYPE_CHECKING:
    from datetime import date, datetime

    from airflow.sdk import Asset

    from mlops_tasks.specs import DatasetSpec, ModelSpec

__all__ = ["build_dags", "build_dataset_dags", "dataset_dags", "model_dags"]


def build_dags(model: ModelSpec, *, namespace: dict[str, Any]) -> None:
    """Build all Dags of a model project and put them where Airflow finds them.

    Parameters
    ----------
    model : ModelSpec
        The model. The Dags of its datasets are built with it, but for those of other projects.
    namespace : dict
        ``globals()`` of the Dag file.

    Raises
    ------
    SpecError
        If another dataset has the name of one of them.
    """
    dags, file = model_dags(model), namespace.get("__file__")
    for dataset in model.datasets:
        if not is_built_elsewhere(dataset, file):
            refuse_second_definition(dataset, file)
            dags += dataset_dags(dataset)
    _put(namespace, dags)


def build_dataset_dags(dataset: DatasetSpec, *, namespace: dict[str, Any]) -> None:
    """Build the Dags of a dataset that several models read, in a project of its own.

    Parameters
    ----------
    dataset : DatasetSpec
        The dataset. Models import it from here, and `build_dags` leaves its Dags to this file.
    namespace : dict
        ``globals()`` of the Dag file.

    Raises
    ------
    SpecError
        If another dataset has its name.
    """
    file = namespace.get("__file__")
    refuse_second_definition(dataset, file)
    built_here(dataset, file)
    _put(namespace, dataset_dags(dataset))


def _put(namespace: dict[str, Any], dags: list[DAG]) -> None:
    namespace.update({dag.dag_id.replace(".", "_"): dag for dag in dags})


def dataset_dags(dataset: DatasetSpec) -> list[DAG]:
    """Build ``<dataset>.ingest`` and, for late rows, ``<dataset>.refresh``.

    Parameters
    ----------
    dataset : DatasetSpec
        The dataset.

    Returns
    -------
    list of DAG
        One or two Dags.
    """
    days = dataset.delay_days
    dags = [_ingest_dag(dataset, "ingest", days, assets.dataset_asset(dataset))]
    if dataset.refresh_after_days is not None:
        late = assets.refreshed_asset(dataset)
        dags.append(_ingest_dag(dataset, "refresh", dataset.refresh_after_days, late))
    return dags


def model_dags(model: ModelSpec) -> list[DAG]:
    """Build the score, monitor, decide and train Dags of a model.

    Parameters
    ----------
    model : ModelSpec
        The model.

    Returns
    -------
    list of DAG
        Four Dags.
    """
    return [_score_dag(model), _monitor_dag(model), _decide_dag(model), _train_dag(model)]


def _ingest_dag(dataset: DatasetSpec, verb: str, days: int, outlet: Asset) -> DAG:
    zone = dataset.timezone or "UTC"
    when = "on the night after it" if days == 0 else f"{days} nights after it"
    what = "Take a day" if verb == "ingest" else "Take a day again, for rows recorded late,"
    doc = f"""
    ### {dataset.description}
    {what} {when}: `ingest` copies it into `{dataset.name}__raw`, `validate` checks it and publishes
    `{dataset.name}`. Bad rows go to `{dataset.name}__quarantine` with their reasons. A run without
    news is skipped and starts nothing. Trigger with a partition key, a day written YYYY-MM-DD.
    """
    with _dag(
        f"{dataset.name}.{verb}",
        doc,
        owner=dataset.owner,
        tags=["mlops", "ingest", dataset.name],
        # The tick after midnight takes the day that has just ended, and `days` before that.
        schedule=_nightly(dataset.cron, -1 - days, zone),
        start_date=Day(dataset.start.isoformat(), zone).start,
        end_date=_after(dataset.end, days, zone),
        max_active_runs=8,
        params={
            "known_at": Param(
                None,
                type=["null", "string"],
                format="date",
                description="Night as of which the rows are known (day, YYYY-MM-DD); empty: now",
            )
        },
    ) as dag:
        raw = IngestPartitionOperator(task_id="ingest", dataset=dataset, nights=days).output
        ValidatePartitionOperator(task_id="validate", dataset=dataset, raw=raw, outlets=[outlet])
    return dag


def _score_dag(model: ModelSpec) -> DAG:
    names = " and ".join(item.dataset.name for item in model.inputs)
    doc = f"""
    ### {model.description}
    Starts for a day when {names} of it are published. `score` predicts every row with the champion,
    `drift` compares the trailing {model.drift.window_days} days with the champion's own data.
    """
    inputs = [assets.dataset_asset(item.dataset) for item in model.inputs]
    condition: Any = inputs[0]
    for asset in inputs[1:]:
        condition = condition & asset
    with _model_dag(model, "score", doc, schedule=PartitionedAssetTimetable(assets=condition)) as d:
        scored = ScorePartitionOperator(
            task_id="score", model=model, outlets=[assets.predictions_asset(model)]
        ).output
        MeasureDriftOperator(task_id="drift", model=model, scored=scored)
    return d


def _monitor_dag(model: ModelSpec) -> DAG:
    label = model.label.dataset
    doc = f"""
    ### What the predictions of `{model.name}` were worth
    Starts for a day when its predictions and its labels (`{label.name}`) are both there, and again
    when late labels have changed. Measures the trailing {model.performance.window_days} days.
    """
    condition = assets.predictions_asset(model) & assets.dataset_asset(label)
    if label.refresh_after_days is not None:
        condition = condition | assets.refreshed_asset(label)
    schedule = PartitionedAssetTimetable(assets=condition)
    with _model_dag(model, "monitor", doc, schedule=schedule) as dag:
        MeasurePerformanceOperator(task_id="monitor", model=model)
    return dag


def _decide_dag(model: ModelSpec) -> DAG:
    policy = model.retrain
    doc = f"""
    ### Retrain `{model.name}` or not: the one place that decides
    Every night, over all evidence known by then. Yes when a check alarmed on {policy.windows} of
    the last {policy.of_last} days, or after {policy.max_age_days} days; at the earliest
    {policy.cooldown_days} days after the last training. A no is written down with its reason.
    """
    with _model_dag(
        model,
        "decide",
        doc,
        schedule=_nightly(model.cron, -1, model.timezone),
        start_date=Day(model.rows.start.isoformat(), model.timezone).start,
        end_date=_after(model.rows.end, 0, model.timezone),
        max_active_runs=1,
    ) as dag:
        decision = DecideRetrainingOperator(task_id="decide", model=model).output
        RequestRetrainingOperator(task_id="request_retraining", model=model, decision=decision)
    return dag


def _train_dag(model: ModelSpec) -> DAG:
    doc = f"""
    ### Train a challenger of `{model.name}` and let the gate judge it
    Starts on a retraining request, or from this form. Uses only data known on the night given:
    `pin` fixes exact versions, `evaluate` compares with the champion on the same later rows,
    `promote` moves the alias `champion` when the gate says so and is skipped otherwise.
    """
    with _model_dag(
        model,
        "train",
        doc,
        schedule=PartitionedAssetTimetable(assets=assets.retrain_request_asset(model)),
        params=_train_form(model),
        max_active_runs=1,
    ) as dag:
        pin = PinTrainingDataOperator(task_id="pin", model=model).output
        trained = TrainModelOperator(task_id="train", model=model, pin=pin).output
        verdict = EvaluateModelOperator(
            task_id="evaluate", model=model, pin=pin, trained=trained
        ).output
        registered = RegisterModelOperator(
            task_id="register", model=model, trained=trained, verdict=verdict
        ).output
        PromoteModelOperator(
            task_id="promote",
            model=model,
            pin=pin,
            registered=registered,
            verdict=verdict,
            outlets=[assets.model_asset(model)],
        )
    return dag


def _train_form(model: ModelSpec) -> dict[str, Param]:
    return {
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date",
            description="Night to train as of (day, YYYY-MM-DD); empty: the run's partition key",
        ),
        "train_days": Param(
            model.train_days,
            type="integer",
            minimum=1,
            maximum=3650,
            description="Longest training window (days)",
        ),
        "evaluation_days": Param(
            model.evaluation_days,
            type="integer",
            minimum=1,
            maximum=365,
            description="Evaluation window after it (days)",
        ),
    }


def _model_dag(model: ModelSpec, verb: str, doc: str, **kwargs: Any) -> DAG:
    tags = ["mlops", verb, model.name]
    return _dag(f"{model.name}.{verb}", doc, owner=model.owner, tags=tags, **kwargs)


def _dag(dag_id: str, doc: str, *, owner: str, schedule: Any, **kwargs: Any) -> DAG:
    lines = [line.strip() for line in doc.strip().splitlines()]
    return DAG(
        dag_id,
        schedule=schedule,
        description=lines[0].removeprefix("### "),
        doc_md="\n".join(lines),
        catchup=False,
        # Else a file that imports another one's dataset would be taken for where its Dags are.
        auto_register=False,
        default_args={"owner": owner, "pre_execute": refuse_unknown_conf} | task_defaults(PERIOD),
        **kwargs,
    )


def _nightly(cron: str, run_offset: int, timezone: str) -> CronPartitionTimetable:
    return CronPartitionTimetable(
        cron, timezone=timezone, run_offset=run_offset, key_format=PARTITION_FORMAT
    )


def _after(end: date | None, days: int, timezone: str) -> datetime | None:
    """Return a moment between the tick that takes the last day and the next one."""
    if end is None:
        return None
    return Day(shift_day(end.isoformat(), days + 1), timezone).end - timedelta(seconds=1)
