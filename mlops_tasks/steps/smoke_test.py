"""Smoke test: a registered version is loaded and asked in a throw-away process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import NoLabelsError
from mlops_tasks.features import labelled_rows
from mlops_tasks.gate.smoke import SmokeTestResult, run_smoke_test

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_tasks.lake import Lake, TrainingPin
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec, TableModel

__all__ = ["smoke_test"]

_ROWS = 100


def smoke_test(
    spec: ModelSpec | TableModel,
    pin: TrainingPin,
    version: RegisteredVersion,
    *,
    lake: Lake,
    tracking: Tracking,
) -> SmokeTestResult:
    """Load a version from the registry in a process of its own, and ask it all kinds of rows.

    Parameters
    ----------
    spec : ModelSpec or TableModel
        The model.
    pin : TrainingPin
        Of its training; up to 100 rows of the newest partition of the evaluation are asked for.
    version : RegisteredVersion
        As the ledger has it, with the digest of its files.
    lake, tracking : Lake, Tracking
        Where data and models are.

    Returns
    -------
    SmokeTestResult
        One line per query: the files are those of the ledger, golden rows get the answers of the
        training, valid rows are scored, alone as among others, rows with nulls, unseen categories
        or extreme numbers are scored or refused in our words, and rows of another shape are refused
        in our words.
    """
    rows = _rows(spec, pin, lake).slice(0, _ROWS)
    # The registry's own address of it, as whoever scores takes it; features and nothing else.
    with tracking.downloaded(version.model_uri) as folder:
        return run_smoke_test(spec, version, folder, rows.select(list(spec.features)))


def _rows(spec: ModelSpec | TableModel, pin: TrainingPin, lake: Lake) -> pa.Table:
    newest = (pin.evaluation[1], pin.evaluation[1])
    try:
        return labelled_rows(spec, pin, newest, lake=lake, learn=False)
    except NoLabelsError:
        return labelled_rows(spec, pin, pin.evaluation, lake=lake, learn=False)
