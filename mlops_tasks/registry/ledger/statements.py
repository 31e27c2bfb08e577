"""What is read and written inside a transaction of the ledger."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlops_tasks.registry.ledger.chain import entry_hash
from mlops_tasks.registry.ledger.records import (
    CHAMPION_MOVES,
    LIFECYCLE,
    Champion,
    EvidenceKind,
    LedgerEntry,
)
from mlops_tasks.registry.ledger.tables import table
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Connection

__all__ = [
    "ASKED_BY",
    "aliases",
    "append",
    "champion",
    "champion_as_of",
    "complete_registration",
    "entries",
    "entry_of",
    "first",
    "insert_registration",
    "keep_alias",
    "lifecycle",
    "models",
    "newest_entries",
    "newest_of_keys",
    "plain_json",
    "registration",
    "registration_evidence",
    "registrations",
    "set_champion",
]

# Moves of the champion on the word of a person, which belong to no day of the data.
_UNDATED = ("adoption", "rollback", "manual promotion")

# Keys of evidence that are columns, too: what a decision looks for entries by.
ASKED_BY = ("model_version", "known_at")


def plain_json(kind: str, key: str, evidence: Mapping[str, Any]) -> str:
    """Return evidence as the text that is stored."""
    try:
        return json.dumps(dict(evidence), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"evidence of {kind} {key!r} is not plain JSON: {error}") from error


# --- entries


def entries(connection: Connection, **wanted: str | None) -> list[LedgerEntry]:
    """Return all entries with these values, by key, oldest first."""
    rows = table("entry")
    query = rows.select().where(*_same(wanted)).order_by(rows.c.key, rows.c.seq)
    return [entry_of(row) for row in connection.execute(query)]


def lifecycle(connection: Connection, model: str) -> list[LedgerEntry]:
    """Return what happened to the versions of a model, oldest first."""
    rows = table("entry")
    about_versions = rows.c.model == model, rows.c.kind.in_(LIFECYCLE)
    query = rows.select().where(*about_versions).order_by(rows.c.seq)
    return [entry_of(row) for row in connection.execute(query)]


def models(connection: Connection) -> list[str]:
    """Return the models that have a registered version or a champion, sorted."""
    import sqlalchemy as sa

    names = sa.union(*(sa.select(table(name).c.model) for name in ("champion", "registration")))
    return sorted(connection.execute(names).scalars())


def first(
    connection: Connection, *, about: Mapping[str, Any] | None = None, **wanted: str | None
) -> LedgerEntry | None:
    """Return the oldest entry with these values, whose evidence has these fields."""
    rows = table("entry")
    query = rows.select().where(*_same(wanted)).order_by(rows.c.seq)
    found = map(entry_of, connection.execute(query if about else query.limit(1)))
    asked = (about or {}).items()
    return next((entry for entry in found if asked <= entry.evidence.items()), None)


def newest_of_keys(
    connection: Connection, n_keys: int, *, as_of: str | None = None, **wanted: str | None
) -> list[LedgerEntry]:
    """Return the newest entry of each of the last keys, oldest key first."""
    import sqlalchemy as sa

    rows = table("entry")
    # Behind the hours of the day, too, whose keys begin with it.
    known = () if as_of is None else (rows.c.key < f"{as_of}~", rows.c.known_at <= as_of)
    newest = (
        sa.select(sa.func.max(rows.c.seq).label("seq"))
        .where(*_same(wanted), *known)
        .group_by(rows.c.key)
        .order_by(rows.c.key.desc())
        .limit(n_keys)
        .subquery()
    )
    query = rows.select().join(newest, rows.c.seq == newest.c.seq).order_by(rows.c.key)
    return [entry_of(row) for row in connection.execute(query)]


def newest_entries(connection: Connection, n: int, **wanted: str | None) -> list[LedgerEntry]:
    """Return the last entries with these values, whatever their keys, oldest first."""
    rows = table("entry")
    query = rows.select().where(*_same(wanted)).order_by(rows.c.seq.desc()).limit(n)
    return [entry_of(row) for row in connection.execute(query)][::-1]


def append(
    connection: Connection, model: str, kind: str, key: str, body: str, dag_run: str, by: str
) -> LedgerEntry:
    """Add an entry at the end of the chain, unless the newest one of its key says the same."""
    evidence = json.loads(body)
    newest = newest_of_keys(connection, 1, model=model, kind=kind, key=key)
    if newest and (newest[0].evidence, newest[0].dag_run) == (evidence, dag_run):
        return newest[0]
    head = table("head")
    # Whoever writes has the ledger to itself: nobody else appends to the same entry.
    seq, before = connection.execute(head.select()).one()
    entry = LedgerEntry(
        *(seq + 1, model, kind, key, evidence, dag_run, datetime.now(UTC), by),
        previous_hash=before,
    )
    entry = replace(entry, hash=entry_hash(entry))
    connection.execute(table("entry").insert().values(_row(entry, body)))
    connection.execute(head.update().values(seq=entry.seq, hash=entry.hash))
    return entry


def _row(entry: LedgerEntry, body: str) -> dict[str, Any]:
    names = ("seq", "model", "kind", "key", "dag_run", "by", "previous_hash", "hash")
    values = {name: getattr(entry, name) for name in names}
    values |= {"evidence": body, "recorded_at": entry.recorded_at.replace(tzinfo=None)}
    return values | {name: entry.evidence.get(name) or "" for name in ASKED_BY}


def _same(wanted: Mapping[str, str | None]) -> list[ColumnElement[bool]]:
    columns = table("entry").c
    return [columns[name] == value for name, value in wanted.items() if value is not None]


def entry_of(row: Any) -> LedgerEntry:
    """Return a row of entries as it says it was written.

    Raises
    ------
    ValueError, TypeError
        If nobody can have written it so.
    """
    evidence, at = json.loads(row.evidence), row.recorded_at
    if not isinstance(evidence, dict):
        raise TypeError("its evidence is no object")
    at = datetime.fromisoformat(at) if isinstance(at, str) else at
    return LedgerEntry(
        seq=row.seq,
        model=row.model,
        kind=row.kind,
        key=row.key,
        evidence=evidence,
        dag_run=row.dag_run,
        recorded_at=at.replace(tzinfo=UTC),
        by=row.by,
        previous_hash=row.previous_hash,
        hash=row.hash,
    )


# --- champions


def champion(connection: Connection, model: str) -> Champion | None:
    """Return the champion of a model."""
    champions = table("champion")
    row = connection.execute(champions.select().where(champions.c.model == model)).first()
    return None if row is None else Champion(row.version, row.generation)


def champion_as_of(connection: Connection, model: str, as_of: str) -> str | None:
    """Return the version that was champion before anything later was decided or promoted."""
    import sqlalchemy as sa

    rows = table("entry")
    ours, promotion = rows.c.model == model, rows.c.kind.in_(CHAMPION_MOVES)
    dated = sa.and_(promotion, *(rows.c.key.not_like(f"{word} of %") for word in _UNDATED))
    later = sa.select(sa.func.min(rows.c.seq)).where(
        ours, dated | (rows.c.kind == EvidenceKind.DECISION), rows.c.key > as_of
    )
    end = connection.scalar(later)
    if end is None:
        now = champion(connection, model)
        return now.version if now else None
    before = rows.select().where(ours, promotion, rows.c.seq < end).order_by(rows.c.seq.desc())
    row = connection.execute(before.limit(1)).first()
    return None if row is None else str(json.loads(row.evidence)["version"])


def set_champion(connection: Connection, model: str, champion: Champion) -> None:
    """Put a champion in the place of the one before, or in a first place."""
    rows, values = table("champion"), to_json(champion)
    if champion.generation == 1:
        connection.execute(rows.insert().values(model=model, **values))
    else:
        connection.execute(rows.update().where(rows.c.model == model).values(values))


def aliases(connection: Connection, model: str) -> dict[str, str | None]:
    """Return where we have put each alias of a model in MLflow."""
    rows = table("alias")
    found = connection.execute(rows.select().where(rows.c.model == model))
    return {row.alias: row.version for row in found}


def keep_alias(connection: Connection, model: str, alias: str, version: str | None) -> None:
    """Keep where we have put an alias in MLflow."""
    rows = table("alias")
    same = rows.c.model == model, rows.c.alias == alias
    if not connection.execute(rows.update().where(*same).values(version=version)).rowcount:
        connection.execute(rows.insert().values(model=model, alias=alias, version=version))


# --- registered versions


def registration(connection: Connection, model: str, version: str) -> RegisteredVersion | None:
    """Return what is known of one version."""
    rows = table("registration")
    row = connection.execute(rows.select().where(*_one_version(model, version))).first()
    return None if row is None else _version(row)


def registrations(connection: Connection, model: str | None) -> list[RegisteredVersion]:
    """Return what is known of all versions of one model, or of all."""
    rows = table("registration")
    query = rows.select() if model is None else rows.select().where(rows.c.model == model)
    return [_version(row) for row in connection.execute(query)]


def insert_registration(
    connection: Connection, version: RegisteredVersion, recorded_by: str, by: str
) -> None:
    """Enter a version that is not known yet, and chain what is known of it."""
    values = to_json(version) | {"model": version.name}
    values |= {"recorded_by": recorded_by, "recorded_at": datetime.now(UTC).replace(tzinfo=None)}
    del values["name"], values["generation"]
    connection.execute(table("registration").insert().values(values))
    _chain_registration(connection, version, recorded_by, by)


def complete_registration(
    connection: Connection,
    known: RegisteredVersion,
    found: RegisteredVersion,
    recorded_by: str,
    by: str,
) -> None:
    """Add what was not kept when the version was entered; what is known stays."""
    whole = replace(
        known,
        artifacts=found.artifacts | known.artifacts,
        metrics=known.metrics or found.metrics,
    )
    if whole == known:
        return
    more = {"artifacts": whole.artifacts, "metrics": whole.metrics}
    same = _one_version(known.name, known.version)
    connection.execute(table("registration").update().where(*same).values(more))
    _chain_registration(connection, whole, recorded_by, by)


def registration_evidence(version: RegisteredVersion) -> dict[str, Any]:
    """Return what the entry of a version's registration holds: all that its row does."""
    evidence = to_json(version)
    del evidence["name"], evidence["generation"]
    return evidence


def _chain_registration(
    connection: Connection, version: RegisteredVersion, recorded_by: str, by: str
) -> None:
    kind = EvidenceKind.REGISTRATION
    body = plain_json(kind, version.version, registration_evidence(version))
    append(connection, version.name, kind, version.version, body, recorded_by, by)


def _one_version(model: str, version: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    columns = table("registration").c
    return columns.model == model, columns.version == version


def _version(row: Any) -> RegisteredVersion:
    return RegisteredVersion(
        name=row.model,
        version=row.version,
        run_id=row.run_id,
        model_uri=row.model_uri,
        digest=row.digest,
        artifacts=dict(row.artifacts),
        metrics=dict(row.metrics),
        inputs=row.inputs,
    )
