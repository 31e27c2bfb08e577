"""From a source and a few answers to the files of a project."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import ScaffoldError
from mlops_tasks.scaffold.answers import Assumptions, Question
from mlops_tasks.scaffold.ci_text import ci_files, repository_of
from mlops_tasks.scaffold.columns import contract_name, typed_rows
from mlops_tasks.scaffold.estimators import choose_estimator
from mlops_tasks.scaffold.keys import find_key
from mlops_tasks.scaffold.label_rows import find_labels
from mlops_tasks.scaffold.loading import load_files, load_query, load_table, tables_of, workspace
from mlops_tasks.scaffold.moments import find_moments
from mlops_tasks.scaffold.plan import Plan
from mlops_tasks.scaffold.rendering import project_files
from mlops_tasks.scaffold.roles import find_roles, known_later
from mlops_tasks.scaffold.targets import find_target
from mlops_tasks.scaffold.trial_run import suites_of
from mlops_tasks.scaffold.volume import find_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from mlops_tasks.scaffold.answers import Answers, Assumption
    from mlops_tasks.scaffold.ci_text import CI
    from mlops_tasks.scaffold.columns import Rows
    from mlops_tasks.scaffold.locations import Location
    from mlops_tasks.scaffold.moments import Moments

__all__ = ["Draft", "draft"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A project that is not written yet.

    Attributes
    ----------
    files : dict of Path to str
        Its files.
    found : list of Assumption
        What was found and assumed.
    """

    files: dict[Path, str]
    found: list[Assumption]


def draft(
    answers: Answers,
    location: Location,
    dags: Path,
    *,
    ci: CI | None,
    ask: Callable[[Question], str],
    watch: Callable[[str], None] = lambda _: None,
) -> Draft:
    """Look at a source and make the files of a project that runs on it.

    Parameters
    ----------
    answers : Answers
        What has been said.
    location : Location
        The source.
    dags : Path
        Folder of Dags.
    ci : {"github", "gitlab"} or None
        Which continuous integration.
    ask : callable
        Answers what only a person knows, or raises.
    watch : callable, optional
        Called with a short line on what is done and found.

    Returns
    -------
    Draft
        Nothing is written yet.

    Raises
    ------
    ScaffoldError
        If no project can be made from what is there, with what to give instead.
    """
    noted = Assumptions(_asked_once(ask), watch=watch)
    with workspace() as connection:
        answers = _with_table(answers, location, noted)
        rows, labels = _loaded(connection, answers, location, noted)
        plan, suites, found = _without_suspects(answers, location, dags, rows, labels, noted)
        folder, files = dags / plan.model, project_files(plan)
        # The spec first: it says whose the folder is, should the rest not be written.
        ordered = {"spec.py": files["spec.py"], **files, **suites}
        texts = {folder / name: text for name, text in ordered.items()}
        if ci is not None:
            texts |= ci_files(plan, dags, ci)
    return Draft(texts, found)


def _asked_once(ask: Callable[[Question], str]) -> Callable[[Question], str]:
    """Return what asks a person each question once."""
    said: dict[str, str] = {}

    def answer(question: Question) -> str:
        if question.option not in said:
            said[question.option] = ask(question)
        return said[question.option]

    return answer


def _loaded(
    connection: DuckDBPyConnection, answers: Answers, location: Location, noted: Assumptions
) -> tuple[Rows, Rows]:
    """Load the rows, and those of the labels, which may be the same."""
    noted.watch("reading the rows")
    rows = _rows(connection, answers, location, answers.table, "rows")
    noted.add("source", rows.loaded.what, _whole(rows))
    if not answers.label_table:
        return rows, rows
    given = replace(answers, query="")
    noted.watch("reading the labels")
    labels = _rows(connection, given, location, answers.label_table, "labels")
    noted.add("labels", labels.loaded.what, _whole(labels))
    return rows, labels


def _without_suspects(
    answers: Answers, location: Location, dags: Path, rows: Rows, labels: Rows, noted: Assumptions
) -> tuple[Plan, dict[str, str], list[Assumption]]:
    """Plan and try a project until none of its features is a leak suspect, as the gate sees it."""
    suspects: dict[str, str] = {}
    while True:
        here = Assumptions(noted.ask, list(noted.found), noted.watch)
        plan = _plan(answers, location, dags, rows, labels, here, suspects)
        noted.watch("trying the project on its own rows")
        suites, found = suites_of(plan, project_files(plan), here)
        why = {name: one.text for one in found for name in one.columns}
        known = {rows.named(name, "--known").name for name in answers.known}
        if not (fresh := {name: text for name, text in why.items() if name not in known}):
            allowed = tuple(one.name for one in plan.roles.features if one.name in why)
            return replace(plan, allowed=allowed), suites, here.found
        suspects |= fresh


def _plan(
    answers: Answers,
    location: Location,
    dags: Path,
    rows: Rows,
    labels: Rows,
    noted: Assumptions,
    suspects: Mapping[str, str],
) -> Plan:
    moments = find_moments(rows, answers, noted)
    target = find_target(labels, answers, noted)
    later = known_later(rows, target, moments, answers, noted, suspects)
    key = find_key(rows, labels, answers, later, noted)
    later = [name for name in later if name not in key]
    found = find_labels(rows, target, key, moments, answers, noted)
    moments = _until_labels_end(moments, found.n_missing, noted)
    roles = find_roles(rows, key, later, moments, answers, noted, suspects)
    windows = find_windows(moments, target, found.delay, noted)
    estimator = choose_estimator(
        answers.name, target.problem_type, roles, windows.n_train, is_count=target.is_count
    )
    noted.add("estimator", estimator.described, estimator.why)
    names = _names(answers.name, dags, rows, labels)
    return Plan(
        answers.name,
        location.connection,
        *names,
        answers.query,
        rows,
        key,
        moments,
        target,
        found,
        roles,
        windows,
        estimator,
        is_in_repository=(repository_of(dags) / "mlops_tasks").is_dir(),
    )


def _until_labels_end(moments: Moments, n_missing: int, noted: Assumptions) -> Moments:
    """End a source that has ended where its labels do: those of its last rows never come."""
    if not (moments.has_ended and n_missing):
        return moments
    kept = dict(list(moments.counts.items())[:-n_missing])
    ended = replace(moments, counts=kept)
    why = f"the {n_missing} {moments.grain.name}s after it never got all labels"
    noted.add("labels end", f"{ended.last}", why)
    return ended


def _with_table(answers: Answers, location: Location, noted: Assumptions) -> Answers:
    """Ask for the table where a database has several; of files the folder itself may do."""
    if answers.table or answers.query or location.is_files:
        return answers
    tables = tables_of(location, answers.name)
    if not tables:
        raise ScaffoldError("the source has no table at all; give another database")
    if len(tables) == 1:
        return replace(answers, table=tables[0])
    question = Question("--table", "Which table has the rows to predict for?", tables)
    return replace(answers, table=noted.ask(question))


def _rows(
    connection: DuckDBPyConnection,
    answers: Answers,
    location: Location,
    table: str,
    into: str,
) -> Rows:
    if location.is_files:
        loaded = load_files(connection, Path(location.connection.root), table, into)
    elif answers.query:
        loaded = load_query(connection, location, answers.name, answers.query, into)
    else:
        loaded = load_table(connection, location, answers.name, table, into)
    return typed_rows(loaded, answers.ignore, answers.timezone or "UTC")


def _whole(rows: Rows) -> str:
    n_rows, n_columns = rows.loaded.n_rows, len(rows.columns)
    part = "" if rows.loaded.is_whole else "; more were not looked at"
    return f"{n_rows:,} rows, {n_columns} columns{part}"


def _names(model: str, dags: Path, rows: Rows, labels: Rows) -> tuple[str, str]:
    """Name the datasets as their tables, unless other projects have such ones."""
    first = _dataset_name(rows.loaded.name, ())
    second = f"{first}_labels" if labels is rows else _dataset_name(labels.loaded.name, {first})
    taken = _taken(dags, model)
    if taken & {first, second}:
        first, second = (f"{model}_{name}"[:48].rstrip("_") for name in (first, second))
    return first, second


def _dataset_name(name: str, taken: Sequence[str] | set[str]) -> str:
    return re.sub(r"_+", "_", contract_name(name, taken))[:40].rstrip("_")


def _taken(dags: Path, model: str) -> set[str]:
    """Return names that other projects give their datasets."""
    texts = (
        path.read_text("utf-8", "replace")
        for path in (*dags.glob("*.py"), *dags.glob("*/*.py"))
        if path.parent.name != model
    )
    return {
        name
        for text in texts
        if "DatasetSpec(" in text
        for name in re.findall(r'"([a-z][a-z0-9_]*)",$', text, re.MULTILINE)
    }
