"""Two keys of evidence as columns: a decision asks for what was known of one model version."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision, down_revision = "0003", "0002"

_COLUMNS = ("model_version", "known_at")
_MEASURED = ("drift", "performance", "labels")
_ENTRY = sa.table("entry", *map(sa.column, ("seq", "kind", "evidence", *_COLUMNS)))


def upgrade() -> None:
    """Add the columns, and copy into them what the evidence of checks says already."""
    for name in _COLUMNS:
        op.add_column("entry", sa.Column(name, sa.String(250), nullable=False, server_default=""))
    connection = op.get_bind()
    query = sa.select(_ENTRY.c.seq, _ENTRY.c.evidence).where(_ENTRY.c.kind.in_(_MEASURED))
    values = [_columns(seq, json.loads(body)) for seq, body in connection.execute(query)]
    if values:
        change = _ENTRY.update().where(_ENTRY.c.seq == sa.bindparam("at"))
        connection.execute(change.values({n: sa.bindparam(n) for n in _COLUMNS}), values)


def _columns(seq: int, evidence: dict[str, Any]) -> dict[str, Any]:
    return {"at": seq} | {name: evidence.get(name) or "" for name in _COLUMNS}
