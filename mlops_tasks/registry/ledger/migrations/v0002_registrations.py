"""What is known of each registered version, and one counter instead of a row per attempt."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision, down_revision = "0002", "0001"

_ENTRY = sa.table(
    "entry",
    *map(sa.column, ("seq", "model", "kind", "evidence", "dag_run")),
    sa.column("recorded_at", sa.DateTime),
)


def upgrade() -> None:
    """Keep the digests that promotions name, and go on counting where the attempts were."""
    text = sa.String(250)
    registration = op.create_table(
        "registration",
        sa.Column("model", text, primary_key=True),
        sa.Column("version", text, primary_key=True),
        *(sa.Column(name, text, nullable=False) for name in ("run_id", "model_uri", "digest")),
        *(sa.Column(name, sa.JSON, nullable=False) for name in ("artifacts", "metrics")),
        sa.Column("recorded_by", text, nullable=False),
        sa.Column("recorded_at", sa.DateTime, nullable=False),
    )
    op.bulk_insert(registration, _promoted_versions())
    newest = _newest_token()
    op.drop_table("token")
    counter = op.create_table("token", sa.Column("value", sa.BigInteger, nullable=False))
    op.bulk_insert(counter, [{"value": newest}])


def _promoted_versions() -> list[dict[str, Any]]:
    """Return what promotions say of their versions; the first word about a version counts."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    gates = {said["run_id"]: said for _, said in _entries("verdict") if "run_id" in said}
    for row, said in _entries("promotion"):
        if not (said.get("digest") and said.get("run_id")):
            continue  # written by hand, about a version that an earlier one describes
        version = {
            "model": row.model,
            "version": said["version"],
            "run_id": said["run_id"],
            "model_uri": f"models:/{row.model}/{said['version']}",
            "digest": said["digest"],
            "artifacts": {},
            "metrics": gates.get(said["run_id"], {}).get("challenger") or {},
            "recorded_by": row.dag_run,
            "recorded_at": row.recorded_at,
        }
        found.setdefault((row.model, said["version"]), version)
    return list(found.values())


def _entries(kind: str) -> list[tuple[Any, dict[str, Any]]]:
    query = sa.select(_ENTRY).where(_ENTRY.c.kind == kind).order_by(_ENTRY.c.seq)
    return [(row, json.loads(row.evidence)) for row in op.get_bind().execute(query)]


def _newest_token() -> int:
    connection = op.get_bind()
    newest = connection.scalar(sa.text("SELECT max(id) FROM token")) or 0
    if connection.dialect.name == "sqlite":  # numbers whose rows are gone stay used
        used = "SELECT seq FROM sqlite_sequence WHERE name = 'token'"
        newest = max(newest, connection.scalar(sa.text(used)) or 0)
    return int(newest)
