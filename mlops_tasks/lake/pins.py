"""Pins: the exact commits that a model was made from, under one digest."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mlops_tasks.digest import ContentDigest
from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.types import Pin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.lake.commits import Commit
    from mlops_tasks.lake.table import Lake

__all__ = ["make_pin", "verify_commits"]


def make_pin(
    table: str, first: str, last: str, columns: tuple[str, ...], commits: Sequence[Commit]
) -> Pin:
    """Return the pin of given commits.

    Parameters
    ----------
    table, first, last, columns
        What the pin is about.
    commits : sequence of Commit
        One per partition.

    Returns
    -------
    Pin
        Its digest is the SHA-256 over the sorted lines ``<day> <rows> <content digest>``, so it
        depends on nothing but the content of the days.
    """
    ordered = sorted(commits, key=lambda commit: commit.partition)
    lines = [f"{commit.partition} {commit.n_rows} {commit.digest}" for commit in ordered]
    return Pin(
        table=table,
        first=first,
        last=last,
        versions=tuple(commit.version for commit in ordered),
        columns=columns,
        n_rows=sum(commit.n_rows for commit in ordered),
        digest=hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    )


def verify_commits(lake: Lake, table: str, commits: Sequence[Commit]) -> None:
    """Read every row of given commits and compare it with the digest of its commit.

    Parameters
    ----------
    lake : Lake
        The lake.
    table : str
        The table.
    commits : sequence of Commit
        What to prove.

    Raises
    ------
    DamagedTableError
        Naming the first partition that differs.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    for commit in commits:
        digest = ContentDigest()
        for file in commit.files:
            path = lake.folder(table) / file.path
            try:
                with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
                    for batch in parquet.iter_batches(131_072):
                        digest.update(batch)
                    digest.update(parquet.schema_arrow.empty_table())
            except (OSError, pa.ArrowException, TypeError) as error:
                raise DamagedTableError(
                    f"table {table!r} version {commit.version}, partition {commit.partition}: "
                    f"{path.name} cannot be read as it was written ({error})"
                ) from error
        if commit.files and digest.hexdigest() != commit.digest:
            raise DamagedTableError(
                f"table {table!r} version {commit.version}, partition {commit.partition}: content "
                f"has digest {digest.hexdigest()[:12]}, committed was {commit.digest[:12]}"
            )
