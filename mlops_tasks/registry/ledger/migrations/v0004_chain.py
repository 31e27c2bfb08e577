"""Who wanted it, and a chain of hashes over all entries, which the database keeps append-only."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op

from mlops_tasks.registry.ledger.chain import BEGINNING, entry_hash
from mlops_tasks.registry.ledger.records import LedgerEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["down_revision", "revision", "upgrade"]

revision, down_revision = "0004", "0003"

_TEXTS = ("model", "kind", "key", "evidence", "dag_run", "model_version", "known_at")
_ENTRY = sa.table(
    "entry",
    sa.column("seq"),
    *map(sa.column, _TEXTS),
    sa.column("recorded_at", sa.DateTime),
    *(sa.column(name) for name in ("by", "previous_hash", "hash")),
)
_CHAMPION = sa.table("champion", *map(sa.column, ("model", "version", "generation")))
_VERSION = sa.table(
    "registration",
    *map(sa.column, ("model", "version", "run_id", "model_uri", "digest")),
    *(sa.column(name, sa.JSON) for name in ("artifacts", "metrics")),
    sa.column("recorded_at"),
)
_REASON = "chained when the ledger was upgraded; what was changed before, nobody can tell"
_REFUSED = "the ledger is append-only: entries are added at the end of its chain, and stay"
_SQLITE = (
    f"""CREATE TRIGGER entry_is_added BEFORE INSERT ON entry
    WHEN (SELECT count(*) FROM head WHERE seq + 1 = NEW.seq AND hash = NEW.previous_hash) <> 1
        OR length(NEW.hash) <> 64
    BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END""",  # noqa: S608 (nothing of it is from outside)
    f"""CREATE TRIGGER entry_is_changed BEFORE UPDATE ON entry
    BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END""",
    f"""CREATE TRIGGER entry_is_removed BEFORE DELETE ON entry
    BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END""",
)
_POSTGRESQL = (
    f"""CREATE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' AND length(NEW.hash) = 64 AND EXISTS (
            SELECT 1 FROM head WHERE head.seq + 1 = NEW.seq AND head.hash = NEW.previous_hash
        ) THEN RETURN NEW; END IF;
        RAISE EXCEPTION '{_REFUSED}';
    END $$""",  # noqa: S608 (nothing of it is from outside)
    """CREATE TRIGGER entry_is_kept BEFORE INSERT OR UPDATE OR DELETE ON entry
    FOR EACH ROW EXECUTE FUNCTION ledger_append_only()""",
    """CREATE TRIGGER entry_is_not_emptied BEFORE TRUNCATE ON entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()""",
)


def upgrade() -> None:
    """Chain what is there, once, and write down that it was chained only now."""
    for name, size in (("by", 250), ("previous_hash", 64), ("hash", 64)):
        column = sa.Column(name, sa.String(size), nullable=False, server_default="", quote=True)
        op.add_column("entry", column)
    inputs = sa.Column("inputs", sa.String(64), nullable=False, server_default="")
    op.add_column("registration", inputs)
    chained = list(_chained())
    if chained:
        names = ("model_version", "known_at", "previous_hash", "hash")
        change = _ENTRY.update().where(_ENTRY.c.seq == sa.bindparam("at"))
        change = change.values({name: sa.bindparam(f"new_{name}") for name in names})
        op.get_bind().execute(change, [_changes(entry) for entry in chained])
    seq, newest = (chained[-1].seq, chained[-1].hash) if chained else (0, BEGINNING)
    for entry in _said_now(seq, newest, n_entries=len(chained)):
        seq, newest = entry.seq, entry.hash
        op.bulk_insert(_ENTRY, [_row(entry)])
    text = sa.String(250)
    op.create_table(
        "alias",
        *(sa.Column(name, text, primary_key=True) for name in ("model", "alias")),
        sa.Column("version", text),
    )
    head = op.create_table(
        "head",
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.bulk_insert(head, [{"seq": seq, "hash": newest}])
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(statement)


def _chained() -> Iterator[LedgerEntry]:
    """Yield the entries that are there, in their order, with their hashes."""
    before = BEGINNING
    for row in op.get_bind().execute(sa.select(_ENTRY).order_by(_ENTRY.c.seq)).all():
        said, at = json.loads(row.evidence), row.recorded_at.replace(tzinfo=UTC)
        entry = LedgerEntry(
            *(row.seq, row.model, row.kind, row.key, said, row.dag_run, at), previous_hash=before
        )
        before = entry_hash(entry)
        yield replace(entry, hash=before)


def _said_now(seq: int, before: str, *, n_entries: int) -> Iterator[LedgerEntry]:
    """Yield entries that vouch from now on for what other tables say."""
    said = [
        (row.model, "registration", row.version, _registration(row))
        for row in _rows(_VERSION, "recorded_at")
    ]
    champions = {
        row.model: {"version": row.version, "generation": row.generation}
        for row in _rows(_CHAMPION, "model")
    }
    if n_entries or said or champions:
        evidence = {"n_entries": n_entries, "last": seq, "hash": before, "champions": champions}
        said.insert(0, ("", "chain", revision, {"reason": _REASON} | evidence))
    for number, (model, kind, key, evidence) in enumerate(said, start=seq + 1):
        entry = LedgerEntry(
            *(number, model, kind, key, evidence, "", datetime.now(UTC), "migration"),
            previous_hash=before,
        )
        before = entry_hash(entry)
        yield replace(entry, hash=before)


def _rows(table: sa.TableClause, order: str) -> list[Any]:
    return list(op.get_bind().execute(sa.select(table).order_by(table.c[order])))


def _registration(row: Any) -> dict[str, Any]:
    names = ("version", "run_id", "model_uri", "digest", "artifacts", "metrics")
    return {name: getattr(row, name) for name in names} | {"inputs": ""}


def _changes(entry: LedgerEntry) -> dict[str, Any]:
    row = _row(entry)
    names = ("model_version", "known_at", "previous_hash", "hash")
    return {"at": entry.seq} | {f"new_{name}": row[name] for name in names}


def _row(entry: LedgerEntry) -> dict[str, Any]:
    names = ("seq", "model", "kind", "key", "dag_run", "by", "previous_hash", "hash")
    row = {name: getattr(entry, name) for name in names}
    row["evidence"] = json.dumps(entry.evidence, sort_keys=True)
    row["recorded_at"] = entry.recorded_at.replace(tzinfo=None)
    return row | {name: entry.evidence.get(name) or "" for name in ("model_version", "known_at")}
