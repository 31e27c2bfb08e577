"""Random changes of working projects: those that break the loop must be caught by `mlops check`.

A change **breaks** the loop if it then fails, publishes fewer rows of a dataset, finds fewer
labels, or gives "cannot tell" where it could tell before. What only makes another legal model
(another seed, window, feature or threshold) changes its numbers, too, and nothing is wrong with
it: such changes are counted on their own as well. Both shares are given: of all changes that give
something else, as asked, and of those that break the loop. The loop is that of `mlops try` by the
steps alone, over a few weeks: what shows only in Airflow, or later in the life of a model, counts
as no change here, though the check may report it. It scores four partitions. Before anything is
changed, each project runs again as it is, and must give the same.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._authoring.mutants import KINDS, Mutation, mutations
from benchmarks._authoring.shortened import MODELS, write_projects
from benchmarks._shared.console import say
from benchmarks._shared.figures import figure
from benchmarks._shared.parts import Measured

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["measure"]

N, QUICK_N = 1000, 28
SEED = 13
AT_LEAST = 0.95
MOST_S, WORKERS = 90, 2
_PRELOADED = (
    "airflow.sdk", "mlops_airflow.lifecycle", "mlops_airflow.commands.check", "mlops_tasks.checks",
    "benchmarks._authoring.tried", "great_expectations", "mlflow.sklearn", "sklearn.ensemble",
    "sklearn.linear_model", "sklearn.pipeline", "sklearn.compose", "sklearn.feature_extraction",
    "sklearn.model_selection", "skops.io", "duckdb", "deltalake", "pandas", "pyarrow.dataset",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a change came to.

    Attributes
    ----------
    mutation : Mutation
        The change.
    broken : str
        How the loop was broken; empty if it was not.
    other : bool
        Whether the loop gave other numbers.
    caught : str
        What `mlops check` said first; empty if it saw nothing.
    raw : str
        An error of a library that came through.
    check_s : float
        How long the check took.
    """

    mutation: Mutation
    broken: str
    other: bool
    caught: str
    raw: str
    check_s: float


def measure(*, quick: bool) -> Measured:
    """Change, check and try; each in a process of its own, forked from one that has all loaded."""
    home = Path(tempfile.mkdtemp(prefix="mlops-mutations-"))
    try:
        spans = write_projects(home)
        for name in _PRELOADED:
            import_module(name)
        _make_mlflow_store(home)
        bases = {model: _in_child(home, model, None, spans) for model in MODELS}
        for model, base in bases.items():
            _import_all(base["modules"])
            say(f"{model}: check {_shown(base)}, try {base['tried']['failure'] or 'passes'}")
        for model, base in bases.items():
            again = _in_child(home, model, _unchanged(home, model), spans)
            if _without_times(again) != _without_times(base):
                raise RuntimeError(f"{model}: gives something else, though nothing was changed")
        drawn = mutations(
            home / "dags",
            {
                model: [file for file in one.files if (home / "dags" / file).is_file()]
                for model, one in MODELS.items()
            },
            QUICK_N if quick else N,
            SEED,
        )
        outcomes = _run_all(home, drawn, bases, spans)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return _measured(outcomes)


def _unchanged(home: Path, model: str) -> Mutation:
    file = MODELS[model].files[0]
    return Mutation(model, file, "field", 1, "", "", (home / "dags" / file).read_text())


def _without_times(found: dict[str, Any]) -> dict[str, Any]:
    answers = [(one["check"], one["where"], one["answer"]) for one in found["check"]]
    return {"check": answers, "tried": found["tried"]}


def _shown(base: dict[str, Any]) -> str:
    wrong = [f"{one['check']} ({one['answer']})" for one in _not_fine(base)]
    return ", ".join(wrong) or "is fine"


# --- processes


def _make_mlflow_store(home: Path) -> None:
    """Make the MLflow store once, in a child: its migrations take seconds and leave threads."""
    child = os.fork()
    if not child:
        from mlops_tasks.registry.tracking import Tracking

        Tracking(f"sqlite:///{home}/mlflow.db").client.search_experiments()
        os._exit(0)
    os.waitpid(child, 0)


def _import_all(names: list[str]) -> None:
    """Import what a run has needed, so that those that follow find it there."""
    for name in names:
        with suppress(Exception):  # what cannot be found by its name was made by another module
            import_module(name)


def _run_all(
    home: Path, drawn: list[Mutation], bases: dict[str, Any], spans: dict[str, tuple[str, str]]
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    running: dict[int, tuple[Mutation, Path]] = {}
    waiting = list(enumerate(drawn))
    started = time.monotonic()
    while waiting or running:
        while waiting and len(running) < WORKERS:
            number, mutation = waiting.pop(0)
            running[_start(home, mutation.project, mutation, spans, str(number))] = (
                mutation,
                home / f"{number}.json",
            )
        pid, _ = os.wait()
        if pid not in running:
            continue
        mutation, file = running.pop(pid)
        found = json.loads(file.read_text()) if file.exists() else {}
        outcomes.append(_outcome(mutation, found, bases[mutation.project]))
        if len(outcomes) % 50 == 0:
            say(f"{len(outcomes)} of {len(drawn)} after {time.monotonic() - started:.0f} s")
    return outcomes


def _in_child(
    home: Path, model: str, mutation: Mutation | None, spans: dict[str, tuple[str, str]]
) -> dict[str, Any]:
    name = model if mutation is None else f"{model}-again"
    os.waitpid(_start(home, model, mutation, spans, name), 0)
    found: dict[str, Any] = json.loads((home / f"{name}.json").read_text())
    return found


def _start(
    home: Path,
    model: str,
    mutation: Mutation | None,
    spans: dict[str, tuple[str, str]],
    name: str,
) -> int:
    """Fork a process that checks and tries, and writes down what came out."""
    child = os.fork()
    if child:
        return child
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_S, MOST_S))  # whatever else the machine does
    work = home / f"work-{name}"
    code = 1
    try:
        work.mkdir()
        tempfile.tempdir = os.environ["TMPDIR"] = str(work)
        sys.stdout = sys.stderr = (work / "output").open("w")
        os.dup2(sys.stdout.fileno(), 1)
        os.dup2(sys.stdout.fileno(), 2)
        found = _found(home, work, model, mutation, spans[model])
        (work / "found").write_text(json.dumps(found))
        (work / "found").rename(home / f"{name}.json")
        code = 0
    except BaseException:
        (home / f"{name}.error").write_text(traceback.format_exc())
    finally:
        if mutation is not None:
            shutil.rmtree(work, ignore_errors=True)
        os._exit(code)


def _found(
    home: Path, work: Path, model: str, mutation: Mutation | None, span: tuple[str, str]
) -> dict[str, Any]:
    """Check and try a model in this process."""
    from dataclasses import asdict

    from benchmarks._authoring.tried import Tried, signatures, tried
    from mlops_airflow.commands.check import _check_all, _quiet
    from mlops_airflow.projects import find_model

    folder = work / "dags"
    shutil.copytree(home / "dags", folder)
    if mutation is not None:
        (folder / mutation.file).write_text(mutation.text)
    shutil.copy(home / "mlflow.db", work / "mlflow.db")
    started = time.process_time()
    with _quiet(), redirect_stdout(sys.stderr):
        results = [asdict(one) for _, found in _check_all(model, None, folder) for one in found]
        check_s = time.process_time() - started
        stock = home / f"work-{model}"
        known = {} if mutation is None else json.loads((stock / "known.json").read_text())
        try:
            spec = find_model(model, folder)
        except Exception as error:
            gave = Tried()
            gave.failed("spec", error)
        else:
            gave = tried(spec, work, None if mutation is None else stock / "lake", known, span)
            if mutation is None:
                (work / "known.json").write_text(json.dumps(signatures(spec)))
    found = {"check": results, "check_s": check_s, "tried": asdict(gave)}
    return found | ({"modules": _libraries()} if mutation is None else {})


def _libraries() -> list[str]:
    """Return the modules that were imported, without those of the projects."""
    own = str(Path(tempfile.gettempdir()))
    found = {name: getattr(one, "__file__", None) or own for name, one in sys.modules.items()}
    return sorted(name for name, file in found.items() if not file.startswith(own))


# --- what a change came to


def _outcome(mutation: Mutation, found: dict[str, Any], base: dict[str, Any]) -> Outcome:
    if not found:
        return Outcome(mutation, "no end within the time limit", True, "", "", MOST_S)
    known = {(one["check"], one["where"]) for one in _not_fine(base)}
    new = [one for one in _not_fine(found) if (one["check"], one["where"]) not in known]
    caught = f"{new[0]['check']}: {new[0]['message']}" if new else ""
    unexplained = [one["message"] for one in new if one["message"].startswith("unexplained")]
    raw = [found["tried"]["failure"]] if found["tried"]["raw"] else []
    broken = _broken(found["tried"], base["tried"])
    other = found["tried"] != base["tried"]
    return Outcome(
        mutation, broken, other, caught, next(iter(unexplained + raw), ""), found["check_s"]
    )


def _not_fine(found: dict[str, Any]) -> list[dict[str, str]]:
    return [one for one in found["check"] if one["answer"] != "fine"]


def _broken(gave: dict[str, Any], before: dict[str, Any]) -> str:
    """Return how the loop is worse than before; empty if it only gives other numbers."""
    if gave["failure"]:
        return str(gave["failure"])
    fewer = [name for name, n in gave["rows"].items() if n < before["rows"].get(name, 0)]
    if fewer:
        lost = [f"{name} {before['rows'][name] - gave['rows'][name]}" for name in fewer]
        return f"rows lost: {', '.join(lost)}"
    if gave["coverage"] < before["coverage"] - 0.01:
        return f"labels lost: {gave['coverage']} of {before['coverage']}"
    if unknown := sorted(set(gave["unknown"]) - set(before["unknown"])):
        return f"cannot tell: {', '.join(unknown)}"
    if gave["verdict"] == "cannot_tell" != before["verdict"]:
        return "cannot tell: the gate"
    return ""


# --- figures


def _measured(outcomes: list[Outcome]) -> Measured:
    broken = [one for one in outcomes if one.broken]
    caught = [one for one in broken if one.caught]
    other = [one for one in outcomes if one.other and not one.broken]
    raw = [one for one in outcomes if one.raw]
    reported = len(caught) + sum(bool(one.caught) for one in other)
    changing = max(1, len(broken) + len(other))
    figures = [
        figure("changes of what the loop gives that are reported by the check",
               reported / changing, "share", at_least=AT_LEAST),
        figure("changes that break the loop and are reported by the check",
               len(caught) / max(1, len(broken)), "share", at_least=AT_LEAST),
        figure("changes that end in a raw error of a library", len(raw), "changes", below=1),
        figure("changes that break the loop", len(broken), "changes"),
        figure("changes that only make another legal model", len(other), "changes"),
        figure("of these, reported by the check all the same",
               sum(bool(one.caught) for one in other), "changes"),
        figure("changes that change nothing", len(outcomes) - len(broken) - len(other), "changes"),
        figure("processor time of a check without its imports, longest",
               max(one.check_s for one in outcomes), "s"),
    ]  # fmt: skip
    misses = [one for one in broken if not one.caught]
    tables = {
        "By kind of change": _by_kind(outcomes),
        "Broken, and not caught": _listed(misses, lambda one: one.broken),
        "Raw errors": _listed(raw, lambda one: one.raw),
    }
    notes = [" ".join((__doc__ or "").split("\n\n", 1)[1].split())]
    return Measured(figures, tables, notes)


def _by_kind(outcomes: list[Outcome]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("kind", "changes", "break the loop", "caught", "legal")]
    for kind in KINDS:
        own = [one for one in outcomes if one.mutation.kind == kind]
        count = Counter(
            broken=sum(bool(one.broken) for one in own),
            caught=sum(bool(one.broken and one.caught) for one in own),
            legal=sum(one.other and not one.broken for one in own),
        )
        rows.append(
            (kind, str(len(own)), *(str(count[name]) for name in ("broken", "caught", "legal")))
        )
    return rows


def _listed(outcomes: list[Outcome], what: Any) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("change", "what came of it")]
    rows += [(one.mutation.shown, what(one).splitlines()[0][:160]) for one in outcomes]
    return rows
