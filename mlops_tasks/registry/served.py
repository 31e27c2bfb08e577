"""Which version decided about a row at a time, and what it said."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import MlopsError, PartitionNotFoundError
from mlops_tasks.registry.ledger.records import CHAMPION_MOVES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_tasks.lake import Commit, Lake, Table
    from mlops_tasks.registry.ledger import Ledger, LedgerEntry

__all__ = ["Prediction", "Served", "champion_at", "served"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the table of predictions said about a row at a time.

    Attributes
    ----------
    partition, table_version : str, int
        Where it is: a partition, as a version of the table has it.
    committed_at, known_at : str
        When it was committed, and the day as of which it counts as known.
    model_version : str
        The version that has predicted.
    values : dict
        What it has predicted.
    replaced : dict or None
        The same of the newest scoring, where a later one has replaced it.
    """

    partition: str
    table_version: int
    committed_at: str
    known_at: str
    model_version: str
    values: dict[str, Any]
    replaced: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """Who decided at a time.

    Attributes
    ----------
    answer : str
        ``fine``: the ledger tells which version was champion, and the table, where a row was asked
        for, what was said about it; ``alarm``: the row was predicted by another version than any
        champion until then; ``cannot_tell``.
    model, at : str
        What was asked.
    version : str or None
        The champion at that time, by the ledger.
    since, by, entry : str, str, str
        Since when, by whose word, and the hash of that entry.
    predictions : tuple of Prediction
        Those about the row, oldest partition first.
    reason : str
        Of an alarm, or why nobody can tell.
    """

    answer: str
    model: str
    at: str
    version: str | None = None
    since: str = ""
    by: str = ""
    entry: str = ""
    predictions: tuple[Prediction, ...] = field(default=())
    reason: str = ""


def champion_at(name: str, at: datetime, *, ledger: Ledger) -> LedgerEntry | None:
    """Return the entry that made the champion of a time, by when it was written down.

    Parameters
    ----------
    name : str
        Registered model.
    at : datetime
        The time, with a zone.
    ledger : Ledger
        The ledger.

    Returns
    -------
    LedgerEntry or None
        None before the first promotion.
    """
    moves = [entry for entry in ledger.lifecycle(name) if entry.kind in CHAMPION_MOVES]
    return next((entry for entry in reversed(moves) if entry.recorded_at <= at), None)


def served(
    name: str,
    at: datetime,
    *,
    ledger: Ledger,
    lake: Lake,
    key: Mapping[str, str] | None = None,
    table: str = "",
    partition: str | None = None,
) -> Served:
    """Say which version decided at a time, and of a row what was said about it then.

    Parameters
    ----------
    name : str
        Registered model.
    at : datetime
        The time, with a zone: what was written down by then counts.
    ledger, lake : Ledger, Lake
        Where champions and predictions are.
    key : mapping of str to str, optional
        Columns and values of the row's key, as text.
    table : str, optional
        Table of the predictions; by default ``<model>__predictions``.
    partition : str, optional
        Only this one; otherwise all are read.

    Returns
    -------
    Served
        In three answers.
    """
    entry = champion_at(name, at, ledger=ledger)
    answer: dict[str, Any] = {"model": name, "at": at.astimezone(UTC).isoformat(timespec="seconds")}
    if entry is not None:
        answer["version"] = str(entry.evidence.get("version"))
        answer["since"] = entry.recorded_at.isoformat(timespec="seconds")
        answer |= {"by": entry.by or str(entry.evidence.get("person", "")), "entry": entry.hash}
    if key is None:
        missing = "" if entry else f"the ledger has no champion of {name!r} at that time"
        return Served("fine" if entry else "cannot_tell", reason=missing, **answer)
    try:
        found = _predictions(lake.table(table or f"{name}__predictions"), at, key, partition)
    except MlopsError as error:
        return Served("cannot_tell", reason=str(error), **answer)
    verdict, reason = _judged(name, at, found, ledger)
    return Served(verdict, predictions=tuple(found), reason=reason, **answer)


def _judged(name: str, at: datetime, found: list[Prediction], ledger: Ledger) -> tuple[str, str]:
    """Compare who has predicted with who was champion until then."""
    if not found:
        return "cannot_tell", "no prediction about this row was committed by then"
    moves = [entry for entry in ledger.lifecycle(name) if entry.kind in CHAMPION_MOVES]
    champions = {str(e.evidence.get("version")) for e in moves if e.recorded_at <= at}
    strange = [one for one in found if one.model_version not in champions]
    if strange and champions:
        return "alarm", (
            f"partition {strange[0].partition} was scored by version {strange[0].model_version}, "
            "which had not been champion by then"
        )
    if strange:
        return "cannot_tell", f"the ledger has no champion of {name!r} until then"
    return "fine", ""


def _predictions(
    table: Table, at: datetime, key: Mapping[str, str], partition: str | None
) -> list[Prediction]:
    """Read what the table said about a row as it was at a time, and what it says now."""
    columns = table.schema.names
    if unknown := sorted(key.keys() - set(columns)):
        raise PartitionNotFoundError(
            f"table {table.name!r} has no column {unknown[0]!r}; its columns are "
            f"{', '.join(columns)}"
        )
    of_each: dict[str, list[Commit]] = {}
    for commit in table.all_commits():
        if partition in (None, commit.partition):
            of_each.setdefault(commit.partition, []).append(commit)
    found = []
    for commits in of_each.values():
        then = [one for one in commits if _committed_by(one, at)]
        if not then:
            continue
        said = _said(table, then[-1], key)
        if said is None:
            continue
        now = None if then[-1] is commits[-1] else _said(table, commits[-1], key) or {}
        found.append(_prediction(then[-1], said, commits[-1], now, key))
    return sorted(found, key=lambda one: one.partition)


def _committed_by(commit: Commit, at: datetime) -> bool:
    """Say whether a commit was there; one from before times were recorded counts from its day."""
    if commit.committed_at:
        return datetime.fromisoformat(commit.committed_at) <= at
    return commit.known_at <= f"{at.astimezone(UTC):%Y-%m-%d}"


def _said(table: Table, commit: Commit, key: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the row of a key in a commit; its values are compared as text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for batch in table.stream([commit], table.schema.names):
        rows = pa.table(batch)
        same = [pc.equal(pc.cast(rows[name], pa.string()), value) for name, value in key.items()]
        for condition in same[1:]:
            same[0] = pc.and_(same[0], condition)
        if hits := rows.filter(same[0]).to_pylist():
            row: dict[str, Any] = hits[0]
            return row
    return None


def _prediction(
    commit: Commit,
    said: dict[str, Any],
    newest: Commit,
    now: dict[str, Any] | None,
    key: Mapping[str, str],
) -> Prediction:
    replaced = None
    if now is not None:
        replaced = {
            "table_version": newest.version,
            "committed_at": newest.committed_at,
            "model_version": str(now.get("model_version", "")),
            "values": _values(now, key),
        }
    return Prediction(
        partition=commit.partition,
        table_version=commit.version,
        committed_at=commit.committed_at,
        known_at=commit.known_at,
        model_version=str(said["model_version"]),
        values=_values(said, key),
        replaced=replaced,
    )


def _values(row: dict[str, Any], key: Mapping[str, str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in (*key, "model_version")}
