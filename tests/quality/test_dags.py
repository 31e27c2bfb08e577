"""Rules every Dag keeps, also one added tomorrow: it is found here by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.quality.discovery import DAGS, project_folders

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DAG, BaseOperator, Param
    from airflow.sdk.definitions.mappedoperator import MappedOperator

VERBS = "decide|ingest|maintenance|monitor|refresh|release|report|reproduce|rollback|score|train"
DAG_ID = re.compile(rf"[a-z][a-z0-9_]*\.({VERBS})")
TASK_ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")

#: These carry state from run to run, so two runs of one Dag must never overlap.
ONE_AT_A_TIME = {"decide", "maintenance", "train"}

#: A number means something only with its unit, or with the words that it has none.
UNITS = re.compile(
    r"\b(bytes|columns|counts?|days?|features|files|fits|folds|hours?|iterations|leaves|minutes"
    r"|nats|nights?|partitions?|resamples|rounds|rows?|runs|samples|seconds?|shares?|trees"
    r"|trials|unitless|versions?|windows?|in \[.*\])\b"
    r"|%|(?<=\s)0 to 1\b|seed",
    re.IGNORECASE,
)


def dags(bag: DagBag) -> dict[str, DAG]:
    assert bag.dags, "no Dag was found"
    return dict(sorted(bag.dags.items()))


def tasks(bag: DagBag) -> Iterator[tuple[str, BaseOperator | MappedOperator]]:
    for dag_id, dag in dags(bag).items():
        for task in dag.tasks:
            yield f"{dag_id}/{task.task_id}", task


def params(bag: DagBag) -> Iterator[tuple[str, Param]]:
    for dag_id, dag in dags(bag).items():
        for name in dag.params:
            yield f"{dag_id}: {name}", dag.params.get_param(name)


def types_of(param: Param) -> set[str]:
    declared = param.schema.get("type", ())
    return {declared} if isinstance(declared, str) else set(declared)


def test_every_dag_file_imports(dag_bag: DagBag) -> None:
    assert not dag_bag.import_errors


def test_every_project_has_dags(dag_bag: DagBag) -> None:
    with_dags = {dag.fileloc.rsplit("/", 2)[-2] for dag in dags(dag_bag).values()}
    assert with_dags == {folder.name for folder in project_folders()}


def test_ids_say_subject_and_verb(dag_bag: DagBag) -> None:
    assert not [dag_id for dag_id in dags(dag_bag) if not DAG_ID.fullmatch(dag_id)]
    assert not [path for path, task in tasks(dag_bag) if not TASK_ID.fullmatch(task.task_id)]


def test_every_dag_explains_itself(dag_bag: DagBag) -> None:
    for dag_id, dag in dags(dag_bag).items():
        assert dag.doc_md, f"{dag_id} has no doc_md"
        assert len(dag.doc_md.split()) >= 20, f"{dag_id}: its docs say too little"
        assert dag.description, f"{dag_id} has no one-line description for the list of Dags"


def test_every_dag_has_tags_and_an_owner(dag_bag: DagBag) -> None:
    for dag_id, dag in dags(dag_bag).items():
        assert "mlops" in dag.tags, f"{dag_id} has tags {sorted(dag.tags)}"
        assert len(dag.tags) >= 2, f"{dag_id}: add its model or dataset as a tag"
    unowned = [path for path, task in tasks(dag_bag) if task.owner in {"", "airflow"}]
    assert not unowned, f"name an owner: {unowned}"


def test_params_are_typed_and_explained(dag_bag: DagBag) -> None:
    for path, param in params(dag_bag):
        assert types_of(param), f"{path} has no JSON type"
        assert param.description, f"{path} has no description"


def test_numbers_name_their_unit(dag_bag: DagBag) -> None:
    for path, param in params(dag_bag):
        if types_of(param) & {"number", "integer"}:
            text = param.description or ""
            assert UNITS.search(text), f"{path}: in which unit? {text!r}"


def test_dags_with_memory_run_one_at_a_time(dag_bag: DagBag) -> None:
    wrong = {
        dag_id: dag.max_active_runs
        for dag_id, dag in dags(dag_bag).items()
        if dag_id.rpartition(".")[2] in ONE_AT_A_TIME and dag.max_active_runs != 1
    }
    assert not wrong, f"set max_active_runs=1: {wrong}"


def test_every_task_retries_by_kind_of_error(dag_bag: DagBag) -> None:
    never = [path for path, task in tasks(dag_bag) if not task.retries]
    assert not never, f"Airflow's default is no retry at all: {never}"
    blind = [path for path, task in tasks(dag_bag) if task.retry_policy is None]
    assert not blind, f"data and gate failures must fail at once (retry_policy): {blind}"


def test_everything_downstream_of_a_partition_is_partitioned(dag_bag: DagBag) -> None:
    """An event with a partition key never starts a Dag without partitions, and says nothing."""
    plain = {
        dag_id: type(dag.timetable).__name__
        for dag_id, dag in dags(dag_bag).items()
        if not any(
            base.__name__.startswith(("CronPartition", "PartitionedA"))
            for base in type(dag.timetable).__mro__
        )
        and type(dag.timetable).__name__ != "NullTimetable"
    }
    assert not plain, f"these would stay silent for ever: {plain}"


def test_no_date_comes_from_the_clock(dag_bag: DagBag) -> None:
    """A start date that moves makes a new Dag version at every parse."""
    again = type(dag_bag)(dag_folder=DAGS, bundle_path=DAGS)
    first = {dag_id: dag.start_date for dag_id, dag in dags(dag_bag).items()}
    assert first == {dag_id: dag.start_date for dag_id, dag in dags(again).items()}
