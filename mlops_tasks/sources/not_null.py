"""What a source once declared NOT NULL, so that it is noticed when it no longer does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import DamagedTableError, SchemaMismatchError
from mlops_tasks.storage import replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import DatasetSpec

__all__ = ["refuse_loosened"]


def refuse_loosened(
    spec: DatasetSpec, partition: str, never_null: frozenset[str] | None, folder: Path
) -> None:
    """Refuse a source that used to keep nulls out of a column of the contract and stopped to.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset. Only columns that its contract lets never be null are looked at.
    partition : str
        The day. What a later day's files declare says nothing about it.
    never_null : frozenset of str or None
        What the source keeps from being null by its own declaration. None if it declares nothing,
        as a query's result, CSV and JSON do not.
    folder : Path
        Where this is kept, a file for each dataset: column to first day on which it was declared.

    Raises
    ------
    SchemaMismatchError
        Naming old and new declaration, before a row is read.
    DamagedTableError
        If the record cannot be read.

    Notes
    -----
    What is declared is kept although the day may fail afterwards: it was true all the same.
    """
    if never_null is None:
        return
    path = folder / f"{spec.name}.json"
    before = _read(path)
    contract = {name for name in spec.columns if not spec.nullable(name)}
    lost = {
        name: day
        for name, day in before.items()
        if name in contract - never_null and day <= partition
    }
    if lost:
        raise _loosened(spec, lost, path)
    now = {
        name: min(before.get(name, partition), partition) if name in never_null else before[name]
        for name in sorted(contract)
        if name in never_null or name in before
    }
    if now != before:
        replace_file(path, json.dumps(now, indent=1).encode())


def _loosened(spec: DatasetSpec, lost: dict[str, str], path: Path) -> SchemaMismatchError:
    lines = [
        f"  column {name!r}: the contract says {spec.columns[name]!r}, never null; the source "
        f"declared it NOT NULL (first seen with {day}) and declares it nullable now. Write "
        f"'{spec.columns[name]}?' if that is meant"
        for name, day in lost.items()
    ]
    return SchemaMismatchError(
        f"dataset {spec.name!r}: the source does not keep the contract; nothing was published. "
        "Change the contract in the spec or have the source fixed; to go on with the contract as "
        f"it is, where single nulls are quarantined, remove {path}:\n" + "\n".join(lines)
    )


def _read(path: Path) -> dict[str, str]:
    try:
        return {str(name): str(day) for name, day in json.loads(path.read_text()).items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError) as error:
        raise DamagedTableError(
            f"{path}, what a source declared never null, cannot be read ({error}); remove it: it "
            "is written again"
        ) from error
