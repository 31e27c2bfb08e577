"""The specs of the model projects, found by their folders as Airflow finds their Dags."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import SpecError
from mlops_tasks.specs import DatasetSpec, ModelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["find_dataset"]


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
    folder = (folder or _dags_folder()).resolve()
    having: dict[str, DatasetSpec] = {}
    known: set[str] = set()
    broken: list[str] = []
    for path in sorted(folder.glob("*/*.py")):
        if path.name != "spec.py" and "DatasetSpec(" not in path.read_text("utf-8", "replace"):
            continue
        project = path.parent.name if path.name == "spec.py" else f"{path.parent.name}/{path.name}"
        try:
            found = {spec.name: spec for spec in _datasets(folder, path)}
        except Exception as error:  # one bad project must not hide the others
            broken.append(f"{project} ({str(error).splitlines()[0]})")
            continue
        if name in found:
            having[project] = found[name]
        known.update(found)
    if having:
        return _the_one(name, having)
    unread = f"; could not be read: {', '.join(broken)}" if broken else ""
    raise SpecError(
        f"no project in {folder} has a dataset {name!r}; there are {sorted(known)}{unread}"
    )


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


def _datasets(folder: Path, path: Path) -> Iterator[DatasetSpec]:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    module = importlib.import_module(f"{path.parent.name}.{path.stem}")
    for value in vars(module).values():
        if isinstance(value, DatasetSpec):
            yield value
        elif isinstance(value, ModelSpec):
            yield from value.datasets


def _dags_folder() -> Path:
    from airflow.sdk import conf

    return Path(conf.get("core", "dags_folder"))
