"""The files of a model beside its weights: boosters, and what it uses of its project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.registry.modelfiles.boosters import write_boosters
from mlops_tasks.registry.modelfiles.golden_rows import write_golden_rows
from mlops_tasks.registry.modelfiles.project_code import write_code

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import pandas as pd

__all__ = ["EXTRA_FILES", "write_extra_files"]

EXTRA_FILES = "extra_files"  # MLflow's name for the folder in a model


def write_extra_files(
    model: Any,
    folder: Path,
    names: Collection[str],
    *,
    rows: pd.DataFrame | None = None,
    personal: Collection[str] = (),
) -> list[Path]:
    """Write what a fitted model needs beside its weights.

    Parameters
    ----------
    model : estimator
        Fitted.
    folder : Path
        Where the files go.
    names : collection of str
        The project's classes and functions in it, from `check_types`.
    rows : DataFrame, optional
        Some rows, replayed by the smoke test of the version, before a rollback, and should the
        project's code that the model uses change.
    personal : collection of str, optional
        Columns of them that are not kept.

    Returns
    -------
    list of Path
        The files.
    """
    files = write_boosters(model, folder)
    if names:
        files.append(write_code(names, folder))
    golden = None if rows is None else write_golden_rows(model, rows, folder, personal=personal)
    return [*files, golden] if golden else files
