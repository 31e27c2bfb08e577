"""Entries, champions and the numbers of attempts.

Ledgers from before there were migrations have these tables already.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision, down_revision = "0001", None


def upgrade() -> None:
    """Make the tables, unless an older version of this project has made them."""
    text = sa.String(250)
    op.create_table(
        "entry",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        *(sa.Column(name, text, nullable=False) for name in ("model", "kind", "key")),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("dag_run", text, nullable=False),
        sa.Column("recorded_at", sa.DateTime, nullable=False),
        if_not_exists=True,
    )
    op.create_index("entry_by_key", "entry", ["model", "kind", "key"], if_not_exists=True)
    op.create_table(
        "champion",
        sa.Column("model", text, primary_key=True),
        sa.Column("version", text, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "token",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("issued_at", sa.DateTime, nullable=False),
        if_not_exists=True,
        sqlite_autoincrement=True,
    )
