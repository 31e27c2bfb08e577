"""Readmission: rows that were kept back are judged again after the suite or contract was mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import PartitionNotFoundError
from mlops_tasks.lake import PartitionVersion
from mlops_tasks.lake.digest import row_hashes
from mlops_tasks.steps.validate import validate
from mlops_tasks.validation.publication import quarantine_table
from mlops_tasks.validation.rows import PartitionRows

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.lake import Commit, Lake, Table
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.validation.results import ValidationResult

    Hashes = npt.NDArray[np.uint64]

__all__ = ["Readmission", "readmit"]


@dataclass(frozen=True, slots=True)
class Readmission:
    """What became of the rows that were kept back.

    Attributes
    ----------
    result : ValidationResult
        Of validating the whole raw partition again.
    n_before : int
        Rows in the quarantine before.
    n_readmitted : int
        Of these, the rows that are published now.
    still : dict of str to int
        Rows that are kept back now, by reason.
    """

    result: ValidationResult
    n_before: int
    n_readmitted: int
    still: dict[str, int]


def readmit(
    spec: DatasetSpec, partition: str, *, raw_table: str, lake: Lake, token: int, known_at: str
) -> Readmission:
    """Validate a partition again with what its spec says now, and publish what passes.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset, with its mended suite or contract.
    partition : str
        The day.
    raw_table : str
        Table of the rows as they were extracted; good and bad rows are judged together, as keys
        and row counts need.
    lake : Lake
        Where everything is.
    token : int
        Number of this attempt.
    known_at : str
        Day as of which the readmitted rows are known; a training as of an earlier night never
        sees them.

    Returns
    -------
    Readmission
        How many rows came back, and why others did not.

    Raises
    ------
    PartitionNotFoundError
        If nothing was kept back, or the raw partition is gone.
    ValidationFailedError
        If the partition must not be published; everything stays as it was.
    """
    kept_table, published = lake.table(quarantine_table(spec)), lake.table(spec.name)
    kept = _newest(kept_table, partition)
    if kept is None or not kept.n_rows:
        raise PartitionNotFoundError(
            f"dataset {spec.name!r}: nothing of {partition} is in {quarantine_table(spec)!r}"
        )
    newest = _newest(lake.table(raw_table), partition)
    if newest is None:
        raise PartitionNotFoundError(
            f"dataset {spec.name!r}: {raw_table!r} has no {partition}; ingest the day again"
        )
    raw = PartitionVersion(raw_table, partition, newest.version, newest.n_rows, newest.digest)
    columns = [name for name in spec.columns if name in kept_table.schema.names]
    before = _hashes(kept_table, kept, columns)
    result = validate(spec, raw, lake=lake, token=token, known_at=known_at)
    (now,) = published.commits(first=partition, last=partition)
    return Readmission(
        result=result,
        n_before=kept.n_rows,
        n_readmitted=_n_among(before, _hashes(published, now, columns)),
        still=dict(result.quarantined_by_reason),
    )


def _newest(table: Table, partition: str) -> Commit | None:
    if not table.exists:
        return None
    commits = table.commits(first=partition, last=partition)
    return commits[0] if commits else None


def _hashes(table: Table, commit: Commit, columns: list[str]) -> Hashes:
    """Hash the rows of a commit by their content, without the reasons for keeping them back."""
    import numpy as np

    rows = PartitionRows.within_memory(table, commit)
    return np.concatenate([row_hashes(chunk) for _, chunk in rows.chunks(columns)])


def _n_among(some: Hashes, all_rows: Hashes) -> int:
    import numpy as np

    return int(np.isin(some, all_rows).sum())
