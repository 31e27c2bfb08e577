"""From a spec to its Dags: the loop of DESIGN, wired once for every model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, PartitionedAssetTimetable

from mlops_airflow import assets, watch_window
from mlops_airflow.definitions import (
    built_here,
    is_built_elsewhere,
    refuse_second_definition,
)
from mlops_airflow.forms import (
    by_hand,
    ingest_form,
    no_backfill,
    release_form,
    rollback_form,
    train_form,
)
from mlops_airflow.loop_dag import loop_dag, model_dag
from mlops_airflow.operators.approve import ApproveReleaseOperator
from mlops_airflow.operators.decide import DecideRetrainingOperator, RequestRetrainingOperator
from mlops_airflow.operators.evaluate import EvaluateModelOperator
from mlops_airflow.operators.incidents import WatchIncidentsOperator
from mlops_airflow.operators.ingest import IngestPartitionOperator
from mlops_airflow.operators.monitor import (
    EstimatePerformanceOperator,
    MeasureDriftOperator,
    MeasurePerformanceOperator,
)
from mlops_airflow.operators.pack import MakeEvidencePackOperator
from mlops_airflow.operators.pin import PinTrainingDataOperator
from mlops_airflow.operators.register import RegisterModelOperator
from mlops_airflow.operators.release import ReleaseModelOperator, RequestReleaseOperator
from mlops_airflow.operators.rollback import RollbackModelOperator, ScoreAgainOperator
from mlops_airflow.operators.score import ScorePartitionOperator
from mlops_airflow.operators.smoke_test import SmokeTestModelOperator
from mlops_airflow.operators.train import TrainModelOperator
from mlops_airflow.operators.validate import ValidatePartitionOperator
from mlops_airflow.partition_mappers import (
    CoarserMapper,
    VersionMapper,
    same_key,
    waiting_for_all,
)
from mlops_airflow.reproduction import reproduce_dag
from mlops_airflow.selection import choose_among, selection_functions, selection_words
from mlops_airflow.timetables import decided_by_then, decision_timetable, partition_timetable
from mlops_tasks.exceptions import SpecError
from mlops_tasks.gate import GatePlan
from mlops_tasks.partitions import DAY, PERIOD
from mlops_tasks.specs.calendar import with_inputs
from mlops_tasks.specs.importable import check_importable

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.sdk import Asset, RollupMapper

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
    for dataset in with_inputs(model.datasets):
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
    delay, late = dataset.delay_steps, dataset.refresh_steps
    dags = [_ingest_dag(dataset, "ingest", delay, assets.dataset_asset(dataset))]
    if late is not None:
        dags.append(_ingest_dag(dataset, "refresh", late, assets.refreshed_asset(dataset)))
    return dags


def model_dags(model: ModelSpec) -> list[DAG]:
    """Build the Dags of a model: score, monitor, decide, train, release, rollback, reproduce.

    Parameters
    ----------
    model : ModelSpec
        The model.

    Returns
    -------
    list of DAG
        Seven Dags.

    Raises
    ------
    SpecError
        If a function that it names is not there, or its metric is none.
    """
    _refuse_missing_code(model)
    GatePlan.of(model)  # a metric that does not exist breaks these Dags, not their runs
    build = (_score_dag, _monitor_dag, _decide_dag, _train_dag, _release_dag, _rollback_dag)
    return [*(one(model) for one in build), reproduce_dag(model)]


def _refuse_missing_code(model: ModelSpec) -> None:
    """Let a function that is not there break the Dags that name it, and not a training of them."""
    named = {"estimator": model.estimator, "features_python": model.features_python}
    notifiers = {f"notify {path!r}": path for path in model.notify or () if ":" in path}
    for field, path in (named | selection_functions(model) | notifiers).items():
        if path is None:
            continue
        try:
            check_importable(path)
        except SpecError as error:
            raise SpecError(f"model {model.name!r}: {field}: {error}") from None


def _ingest_dag(dataset: DatasetSpec, verb: str, delay: int, outlet: Asset) -> DAG:
    grain = dataset.calendar
    # By the clock, the tick after its end takes the partition that has ended, or `delay` before.
    when = "soon after it has ended" if delay == 0 else f"{delay} {grain.name}s after that"
    if names := " or ".join(item.dataset.name for item in dataset.source.reads):
        when = f"when {names} has published it, as soon as all have"
    again = " again, for rows recorded late," if verb == "refresh" else ""
    doc = f"""
    ### {dataset.description}
    Take every {grain.name}{again} {when}: `ingest` copies it into `{dataset.name}__raw`, `validate`
    checks it and publishes `{dataset.name}`. Bad rows go to `{dataset.name}__quarantine` with their
    reasons. A run without news is skipped and starts nothing. {by_hand(grain)}
    {no_backfill("") if dataset.source.reads else "A backfill takes many, one run each."}
    """
    with loop_dag(
        f"{dataset.name}.{verb}",
        doc,
        owner=dataset.owner,
        tags=["mlops", "ingest", dataset.name],
        schedule=_when_published(dataset) or partition_timetable(dataset.schedule, delay),
        start_date=dataset.partition(dataset.first).start,
        end_date=dataset.last and dataset.schedule.until(dataset.last, delay),
        max_active_runs=8,
        period=min(grain.period, PERIOD),
        params=ingest_form(),
    ) as dag:
        refresh = verb == "refresh"
        raw = IngestPartitionOperator(task_id="ingest", dataset=dataset, refresh=refresh).output
        ValidatePartitionOperator(task_id="validate", dataset=dataset, raw=raw, outlets=[outlet])
    return dag


def _when_published(dataset: DatasetSpec) -> PartitionedAssetTimetable | None:
    """Return when a derived dataset is computed: on each event of an input's partition.

    Any of them, so that a correction of one input computes it again; the task is skipped while
    another has not published the partition.
    """
    events = [assets.dataset_asset(item.dataset) for item in dataset.source.reads]
    events += [
        assets.refreshed_asset(item.dataset)
        for item in dataset.source.reads
        if item.dataset.refresh_after is not None
    ]
    if not events:
        return None
    condition: Any = events[0]
    for event in events[1:]:
        condition = condition | event
    return _by_assets(condition, dataset)


def _by_assets(
    condition: Any, rows: DatasetSpec, mappers: dict[Any, Any] | None = None
) -> PartitionedAssetTimetable:
    """Return the timetable of events whose keys are those of some rows, unless mapped to them."""
    return PartitionedAssetTimetable(
        assets=condition,
        partition_mapper_config=mappers or {},
        default_partition_mapper=same_key(rows.grain, rows.timezone or "UTC"),
    )


def _score_dag(model: ModelSpec) -> DAG:
    names = " and ".join(dataset.name for dataset in model.triggers)
    doc = f"""
    ### {model.description}
    Starts for every {model.rows.grain} of which {names} are published. `score` predicts every row
    with the champion, `drift` compares the trailing {model.drift.window.words} with the
    champion's own data, `estimate` says their worth before labels.
    {watch_window.shadow_words(model)} {by_hand(model.calendar)}
    {no_backfill(f"a backfill of {model.rows.name}.ingest starts it for all that it takes in; ")}
    """
    inputs = {dataset.name: assets.dataset_asset(dataset) for dataset in model.triggers}
    finer = [dataset for dataset in model.triggers if dataset.grain != model.rows.grain]
    mappers: dict[Any, Any] = {inputs[one.name]: _waiting(model, one) for one in finer}
    condition: Any = inputs[model.rows.name]
    for dataset in model.triggers[1:]:
        condition = condition & inputs[dataset.name]
    condition = condition | assets.score_again_asset(model)
    schedule = _by_assets(condition, model.rows, mappers)
    with model_dag(model, "score", doc, schedule=schedule, period=_pace(model)) as d:
        scored = ScorePartitionOperator(
            task_id="score", model=model, outlets=[assets.predictions_asset(model)]
        ).output
        MeasureDriftOperator(task_id="drift", model=model, scored=scored)
        if model.performance.estimate:
            EstimatePerformanceOperator(task_id="estimate", model=model, scored=scored)
        watch_window.add_shadow(model, scored)
    return d


def _monitor_dag(model: ModelSpec) -> DAG:
    label = model.label.dataset
    doc = f"""
    ### What the predictions of `{model.name}` were worth
    Starts for every {model.rows.grain} of which predictions and labels (`{label.name}`) are both
    there, and again when late labels have changed. Measures the trailing
    {model.performance.window.words}.
    {watch_window.comparison_words(model)} {by_hand(model.calendar)}
    {no_backfill(f"a backfill of {label.name}.ingest starts it for all that have predictions; ")}
    """
    labels, late = assets.dataset_asset(label), assets.refreshed_asset(label)
    is_finer = label.grain != model.rows.grain
    mappers: dict[Any, Any] = {labels: _waiting(model, label)} if is_finer else {}
    condition = assets.predictions_asset(model) & labels
    if label.refresh_steps is not None:
        condition = condition | late
        if mappers:  # each hour that has changed is news of its day: nothing to wait for
            mappers[late] = CoarserMapper(label.grain, model.rows.grain, model.timezone)
    schedule = _by_assets(condition, model.rows, mappers)
    with model_dag(model, "monitor", doc, schedule=schedule, period=_pace(model)) as dag:
        MeasurePerformanceOperator(task_id="monitor", model=model)
        watch_window.add_comparison(model)
    return dag


def _decide_dag(model: ModelSpec) -> DAG:
    policy, every = model.retrain, model.schedule.grain.name
    doc = f"""
    ### Retrain `{model.name}` or not: the one place that decides
    Every {every}, over all evidence known by then. Yes when a check alarmed on {policy.windows} of
    the last {policy.of_last} {model.rows.grain}s, or after {policy.max_age.words}; at the
    earliest {policy.cooldown.words} after the last training. A no is written down with its
    reason. `incidents` looks for what is missing or wrong, and tells people once. {by_hand(DAY)} A
    backfill decides as of many, one run each.
    """
    with model_dag(
        model,
        "decide",
        doc,
        schedule=decision_timetable(model.schedule),
        start_date=model.rows.partition(model.rows.first).start,
        end_date=model.rows.last and decided_by_then(model, model.rows.last),
        max_active_runs=1,
    ) as dag:
        decision = DecideRetrainingOperator(task_id="decide", model=model).output
        RequestRetrainingOperator(task_id="request_retraining", model=model, decision=decision)
        WatchIncidentsOperator(task_id="incidents", model=model, decision=decision)
    return dag


def _train_dag(model: ModelSpec) -> DAG:
    doc = f"""
    ### Train a challenger of `{model.name}` and let the gate judge it
    Starts on a retraining request, or from its form, which trains as of now when it is left as it
    is. Uses only data known by its cut-off: `pin` fixes exact versions,{selection_words(model)}
    `evaluate` compares with the champion on the same later rows, `smoke_test` asks the registered
    version for predictions in another process, `request_release` hands a version that the gate
    would have, or asks a person about, to `{model.name}.release`, and is skipped otherwise.
    {no_backfill("to train as of many days, ")}
    """
    with model_dag(
        model,
        "train",
        doc,
        schedule=PartitionedAssetTimetable(
            assets=assets.retrain_request_asset(model),
            default_partition_mapper=same_key(DAY.name, model.timezone),
        ),
        params=train_form(model),
        max_active_runs=1,
    ) as dag:
        pin = PinTrainingDataOperator(task_id="pin", model=model).output
        choice = choose_among(model, pin) if model.selects else None
        trained = TrainModelOperator(task_id="train", model=model, pin=pin, choice=choice).output
        verdict = EvaluateModelOperator(
            task_id="evaluate", model=model, pin=pin, trained=trained
        ).output
        registered = RegisterModelOperator(
            task_id="register", model=model, trained=trained, verdict=verdict
        ).output
        tested = SmokeTestModelOperator(
            task_id="smoke_test", model=model, pin=pin, registered=registered
        )
        request = RequestReleaseOperator(
            task_id="request_release",
            model=model,
            pin=pin,
            registered=registered,
            verdict=verdict,
        )
        tested.set_downstream(request)
    return dag


def _release_dag(model: ModelSpec) -> DAG:
    doc = f"""
    ### Release a version of `{model.name}`, at once or when a person approves it
    Starts for every version that `{model.name}.train` asks to release. `approve` is skipped where
    the gate promotes by itself; else it waits for a person and holds no worker meanwhile. Reject
    keeps the champion, so does no answer in time, and a newer version supersedes the request.
    `promote` moves the champion in the ledger, then the alias, and `pack` signs the evidence of
    what was promoted into one file. To ask again, trigger it and write the version into
    its form.
    {no_backfill("")}
    """
    with model_dag(
        model,
        "release",
        doc,
        schedule=PartitionedAssetTimetable(
            assets=assets.release_request_asset(model),
            default_partition_mapper=VersionMapper(),  # type: ignore[arg-type]
        ),
        params=release_form(),
    ) as dag:
        approve = ApproveReleaseOperator(task_id="approve", model=model)
        promote = ReleaseModelOperator(
            task_id="promote",
            model=model,
            trigger_rule="none_failed",
            outlets=[assets.model_asset(model)],
        )
        approve >> promote
        # Behind the promotion: a pack that fails alarms, and the champion stays.
        MakeEvidencePackOperator(task_id="pack", model=model, promoted=promote.output)
    return dag


def _rollback_dag(model: ModelSpec) -> DAG:
    doc = f"""
    ### Return `{model.name}` to a former champion
    From its form alone: to the champion before this one, to a version that is named, or, where
    *Version* is emptied, to one of a list that the run shows under *Required Actions*. `rollback`
    compares the files of the version with the ledger, asks it for its golden rows again, and moves
    the champion; whatever differs is refused and nothing moves.
    `score_again` starts `{model.name}.score` for the partitions that were scored since a day, where
    the form has one. The same from a terminal: `mlops rollback {model.name} --reason "..."`.
    """
    # Two may run: one that waits for a person must not hold up one that knows where to. Of those
    # that have seen the same champion, the ledger lets one move it.
    with model_dag(model, "rollback", doc, schedule=None, params=rollback_form(model)) as dag:
        rollback = RollbackModelOperator(
            task_id="rollback", model=model, outlets=[assets.model_asset(model)]
        )
        rollback >> ScoreAgainOperator(task_id="score_again", model=model)
    return dag


def _waiting(model: ModelSpec, dataset: DatasetSpec) -> RollupMapper:
    return waiting_for_all(dataset.grain, model.rows.grain, model.timezone)


def _pace(model: ModelSpec) -> timedelta:
    """Return within what time a task of a partition should succeed: before the next, or a day."""
    return min(model.calendar.period, PERIOD)
