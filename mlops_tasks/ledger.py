"""The ledger: every decision with its evidence, append-only, and who is champion now."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection, Engine, MetaData

__all__ = ["Champion", "Ledger", "LedgerEntry"]


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line: what was found or decided about `key` of `model`, and on what evidence.

    ``model`` is the registered model, or the dataset for entries of kind ``validation``.
    """

    seq: int
    model: str
    kind: str
    key: str
    evidence: dict[str, Any]
    dag_run: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Champion:
    """The promoted version; `generation` counts promotions, from 1."""

    version: str
    generation: int


class Ledger:
    """Append-only entries and the champion of each model, in any SQLAlchemy database.

    Parameters
    ----------
    url : str
        SQLAlchemy URL, for example ``sqlite:////data/ledger.db``.

    Examples
    --------
    >>> ledger = Ledger("sqlite://")
    >>> _ = ledger.record(model="m", kind="decision", key="2013-02-01", evidence={"retrain": False})
    >>> [entry.evidence for entry in ledger.entries(model="m")]
    [{'retrain': False}]
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def next_token(self) -> int:
        """Return a number larger than every one before: the token of one task attempt."""
        tokens = self._tables.tables["token"]
        with self._begin() as connection:
            key = connection.execute(tokens.insert().values(issued_at=_now())).inserted_primary_key
        assert key is not None  # noqa: S101 (an autoincrement key is always returned)
        return int(key[0])

    def record(
        self, *, model: str, kind: str, key: str, evidence: Mapping[str, Any], dag_run: str = ""
    ) -> LedgerEntry:
        """Append an entry, or return the newest one of this key if it says the same already.

        Parameters
        ----------
        model, kind, key : str
            What the entry is about.
        evidence : mapping
            Plain JSON; NaN and infinity are refused.
        dag_run : str, optional
            ``dag_id/run_id`` of the run that found it.

        Returns
        -------
        LedgerEntry
            The entry as stored.

        Raises
        ------
        ValueError
            If the evidence is not plain JSON.
        """
        try:
            body = json.dumps(dict(evidence), sort_keys=True, allow_nan=False)
        except TypeError as error:
            raise ValueError(f"evidence of {kind} {key!r} is not plain JSON: {error}") from error
        table = self._tables.tables["entry"]
        same = (table.c.model == model) & (table.c.kind == kind) & (table.c.key == key)
        with self._begin() as connection:
            newest = connection.execute(
                table.select().where(same).order_by(table.c.seq.desc()).limit(1)
            ).first()
            if newest is None or (newest.evidence, newest.dag_run) != (body, dag_run):
                values = {"model": model, "kind": kind, "key": key, "evidence": body}
                connection.execute(
                    table.insert().values(**values, dag_run=dag_run, recorded_at=_now())
                )
                newest = connection.execute(
                    table.select().where(same).order_by(table.c.seq.desc()).limit(1)
                ).one()
        return _entry(newest)

    def entries(
        self, *, model: str | None = None, kind: str | None = None, history: bool = False
    ) -> list[LedgerEntry]:
        """Return entries sorted by key: the newest of each (model, kind, key), or all of them.

        Parameters
        ----------
        model, kind : str, optional
            Only these.
        history : bool, default False
            Also the entries that a newer one of the same key has replaced, oldest first.
        """
        table = self._tables.tables["entry"]
        query = table.select().order_by(table.c.key, table.c.seq)
        if model is not None:
            query = query.where(table.c.model == model)
        if kind is not None:
            query = query.where(table.c.kind == kind)
        with self._begin() as connection:
            found = [_entry(row) for row in connection.execute(query)]
        if history:
            return found
        return list({(entry.model, entry.kind, entry.key): entry for entry in found}.values())

    def champion(self, model: str) -> Champion | None:
        """Return the champion of `model`, or None before the first promotion."""
        table = self._tables.tables["champion"]
        with self._begin() as connection:
            row = connection.execute(table.select().where(table.c.model == model)).first()
        return None if row is None else Champion(row.version, row.generation)

    def promote(self, model: str, *, expected: str | None, version: str) -> bool:
        """Make `version` the champion if `expected` still is: compare and set.

        Parameters
        ----------
        model : str
            Registered model.
        expected : str or None
            Version that the caller compared against; None for a first champion.
        version : str
            The new champion.

        Returns
        -------
        bool
            False if somebody else moved the champion meanwhile. True also when `version` is the
            champion already, so that a task may be run again.
        """
        from sqlalchemy.exc import IntegrityError

        table = self._tables.tables["champion"]
        current = self.champion(model)
        if current is not None and current.version == version:
            return True
        try:
            with self._begin() as connection:
                if expected is None:
                    row = {"model": model, "version": version, "generation": 1}
                    changed = connection.execute(table.insert().values(row))
                else:
                    changed = connection.execute(
                        table.update()
                        .where((table.c.model == model) & (table.c.version == expected))
                        .values(version=version, generation=table.c.generation + 1)
                    )
                return changed.rowcount == 1
        except IntegrityError:  # another first champion was faster
            return False

    @cached_property
    def _tables(self) -> MetaData:
        import sqlalchemy as sa

        meta = sa.MetaData()
        text = sa.String(250)
        sa.Table(
            "entry",
            meta,
            sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
            *(sa.Column(name, text, nullable=False) for name in ("model", "kind", "key")),
            sa.Column("evidence", sa.Text, nullable=False),
            sa.Column("dag_run", text, nullable=False),
            sa.Column("recorded_at", sa.DateTime, nullable=False),
            sa.Index("entry_by_key", "model", "kind", "key"),
        )
        sa.Table(
            "champion",
            meta,
            sa.Column("model", text, primary_key=True),
            sa.Column("version", text, nullable=False),
            sa.Column("generation", sa.Integer, nullable=False),
        )
        sa.Table(
            "token",
            meta,
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
            sa.Column("issued_at", sa.DateTime, nullable=False),
            sqlite_autoincrement=True,
        )
        self._create(meta)
        return meta

    def _create(self, meta: MetaData) -> None:
        from sqlalchemy.exc import DBAPIError

        try:
            with self._begin() as connection:  # on SQLite two first users wait for each other here
                meta.create_all(connection)
        except DBAPIError:  # elsewhere the slower one fails, and finds the tables at a second look
            with self._begin() as connection:
                meta.create_all(connection)

    @cached_property
    def _engine(self) -> Engine:
        import sqlalchemy as sa

        if not self._url.startswith("sqlite"):
            return sa.create_engine(self._url)
        in_memory = self._url == "sqlite://"
        pool = sa.StaticPool if in_memory else sa.NullPool
        return sa.create_engine(self._url, poolclass=pool, connect_args={"timeout": 30})

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                # The driver would open a read transaction and fail when it turns into a write.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _entry(row: Any) -> LedgerEntry:
    return LedgerEntry(
        seq=row.seq,
        model=row.model,
        kind=row.kind,
        key=row.key,
        evidence=json.loads(row.evidence),
        dag_run=row.dag_run,
        recorded_at=row.recorded_at.replace(tzinfo=UTC),
    )
