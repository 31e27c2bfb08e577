"""The tables as the newest migration leaves them; migrations alone make and change them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Table

__all__ = ["table"]


@cache
def _tables() -> dict[str, Table]:
    import sqlalchemy as sa

    meta, text = sa.MetaData(), sa.String(250)
    sa.Table(
        "entry",
        meta,
        sa.Column("seq", sa.Integer, primary_key=True),
        *(sa.Column(name, text) for name in ("model", "kind", "key")),
        sa.Column("evidence", sa.Text),
        sa.Column("dag_run", text),
        sa.Column("recorded_at", sa.DateTime),
        *(sa.Column(name, text) for name in ("model_version", "known_at")),
        sa.Column("by", text, quote=True),
        *(sa.Column(name, sa.String(64)) for name in ("previous_hash", "hash")),
    )
    sa.Table(
        "champion",
        meta,
        sa.Column("model", text, primary_key=True),
        sa.Column("version", text),
        sa.Column("generation", sa.Integer),
    )
    sa.Table(
        "registration",
        meta,
        sa.Column("model", text, primary_key=True),
        sa.Column("version", text, primary_key=True),
        *(sa.Column(name, text) for name in ("run_id", "model_uri", "digest")),
        *(sa.Column(name, sa.JSON) for name in ("artifacts", "metrics")),
        sa.Column("recorded_by", text),
        sa.Column("recorded_at", sa.DateTime),
        sa.Column("inputs", sa.String(64)),
    )
    sa.Table(
        "alias",
        meta,
        *(sa.Column(name, text, primary_key=True) for name in ("model", "alias")),
        sa.Column("version", text),
    )
    sa.Table("token", meta, sa.Column("value", sa.BigInteger))
    sa.Table("head", meta, sa.Column("seq", sa.Integer), sa.Column("hash", sa.String(64)))
    return dict(meta.tables)


def table(name: str) -> Table:
    """Return one table of the ledger, for statements; it creates nothing."""
    return _tables()[name]
