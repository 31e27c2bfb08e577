"""The specs of the model projects, found by their folders as Airflow finds their Dags."""

from __future__ import annotations

import importlib
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

from mlops_tasks.exceptions import SpecError
from mlops_tasks.specs import DatasetSpec, ModelSpec
from mlops_tasks.spelling import did_you_mean

__all__ = [
    "Project",
    "explain_load",
    "find_dataset",
    "find_model",
    "load_module",
    "projects_folder",
    "read_projects",
]

_DATASET = "DatasetSpec("


@dataclass(frozen=True, slots=True)
class Project:
    """A file of specs below the folder of the projects.

    Attributes
    ----------
    name : str
        The project's folder, and the file in it where that is not ``spec.py``.
    file : Path
        The file.
    models, datasets : tuple
        What it defines or imports; none where it cannot be read.
    error : str
        Why it cannot be read, with file and line; empty if it can.
    """

    name: str
    file: Path
    models: tuple[ModelSpec, ...] = ()
    datasets: tuple[DatasetSpec, ...] = ()
    error: str = ""


def read_projects(folder: Path | None = None) -> list[Project]:
    """Read ``<folder>/<project>/spec.py`` of each project, and files beside that have datasets.

    Parameters
    ----------
    folder : Path, optional
        Folder of the projects; Airflow's Dag folder by default.

    Returns
    -------
    list of Project
        In the order of their names; one that cannot be read does not hide the others.
    """
    folder = (folder or projects_folder()).resolve()
    return [_read(folder, path) for path in sorted(folder.glob("*/*.py")) if _has_specs(path)]


def _has_specs(path: Path) -> bool:
    return path.name == "spec.py" or _DATASET in path.read_text("utf-8", "replace")


def _read(folder: Path, path: Path) -> Project:
    name = path.parent.name if path.name == "spec.py" else f"{path.parent.name}/{path.name}"
    try:
        values = list(vars(load_module(folder, path)).values())
    except Exception as error:  # a project's own code may fail with anything
        return Project(name, path, error=explain_load(error, folder))
    models = [value for value in values if isinstance(value, ModelSpec)]
    datasets = [value for value in values if isinstance(value, DatasetSpec)]
    datasets += [dataset for model in models for dataset in model.datasets]
    return Project(name, path, tuple(models), tuple(datasets))


def load_module(folder: Path, path: Path) -> object:
    """Import a file of a project as Airflow's Dags import it, as ``<project>.<file>``."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return importlib.import_module(f"{path.parent.name}.{path.stem}")


def explain_load(error: Exception, folder: Path) -> str:
    """Return why a file of a project cannot be imported, with file and line.

    Parameters
    ----------
    error : Exception
        What importing it raised.
    folder : Path
        Folder of the projects.

    Returns
    -------
    str
        File and line within the projects, and the error in its own words.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_below(Path(error.filename), folder)}, line {error.lineno}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(folder)]
    where = f"{_below(Path(ours[-1].filename), folder)}, line {ours[-1].lineno}: " if ours else ""
    text = str(error) if isinstance(error, SpecError) else f"{type(error).__name__}: {error}"
    return where + text


def _below(path: Path, folder: Path) -> Path:
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def find_model(name: str, folder: Path | None = None) -> ModelSpec:
    """Return the spec of a model from ``<folder>/<project>/spec.py``.

    Parameters
    ----------
    name : str
        Name of the model.
    folder : Path, optional
        Folder of the projects; Airflow's Dag folder by default.

    Returns
    -------
    ModelSpec
        The spec as the project's file has it now.

    Raises
    ------
    SpecError
        If no project has it; projects whose spec cannot be read are named.
    """
    projects = read_projects(folder)
    models = {model.name: model for project in projects for model in project.models}
    if name in models:
        return models[name]
    raise SpecError(f"there is no model {name!r}; {did_you_mean(name, models)}{_unread(projects)}")


def find_dataset(name: str, folder: Path | None = None) -> DatasetSpec:
    """Return the spec of a dataset from ``<folder>/<project>/spec.py``, or a file beside.

    Parameters
    ----------
    name : str
        Name of the dataset.
    folder : Path, optional
        Folder of the projects; Airflow's Dag folder by default.

    Returns
    -------
    DatasetSpec
        The spec as the project's file has it now.

    Raises
    ------
    SpecError
        If no project has it; projects whose spec cannot be read are named. If several have it and
        do not say the same of it.
    """
    projects = read_projects(folder)
    having = {
        project.name: one for project in projects for one in project.datasets if one.name == name
    }
    if having:
        return _the_one(name, having)
    known = sorted({one.name for project in projects for one in project.datasets})
    raise SpecError(f"no project has a dataset {name!r}; there are {known}{_unread(projects)}")


def _unread(projects: list[Project]) -> str:
    broken = [f"{one.name} ({one.error.splitlines()[0]})" for one in projects if one.error]
    return f"; could not be read: {', '.join(broken)}" if broken else ""


def _the_one(name: str, having: dict[str, DatasetSpec]) -> DatasetSpec:
    """Return the spec that all projects share; there is no telling which of two would count."""
    first, *others = having.values()
    if any(other != first for other in others):
        raise SpecError(
            f"dataset {name!r} is in the projects {', '.join(having)}, and not the same in all: "
            f"{'; '.join(str(one.place) for one in having.values())}. Give one of them another "
            "name, or import the spec from one place"
        )
    return first


def projects_folder() -> Path:
    """Return the folder of the projects: Airflow's Dag folder."""
    from airflow.sdk import conf

    return Path(conf.get("core", "dags_folder"))
