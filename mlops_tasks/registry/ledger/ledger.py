"""The ledger itself: what may be asked of it and said to it."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlops_tasks.registry.ledger.database import Database
from mlops_tasks.registry.ledger.records import Champion, LedgerEntry
from mlops_tasks.registry.ledger.tables import table
from mlops_tasks.registry.versions import RegisteredVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

__all__ = ["Ledger"]

# Attempts that took their number from a ledger that was lost meanwhile may still be at work.
_GAP = 1_000_000


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
        self._database = Database(url)

    def next_token(self, *, above: int = 0) -> int:
        """Return a number larger than every one before: the token of one task attempt.

        Parameters
        ----------
        above : int, default 0
            Larger than this one too, see `Table.newest_token`: a ledger that was lost, or restored
            from a backup, begins again above all that is committed.
        """
        counter = table("token")

        def work(connection: Connection) -> int:
            last = int(connection.execute(counter.select()).scalar_one())
            token = last + 1 if last >= above else above + _GAP
            connection.execute(counter.update().values(value=token))
            return token

        return self._database.write(work)

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
        body = _plain_json(kind, key, evidence)
        return self._database.write(
            lambda connection: _append(connection, model, kind, key, body, dag_run)
        )

    def record_once(
        self, *, model: str, kind: str, key: str, evidence: Mapping[str, Any], dag_run: str = ""
    ) -> LedgerEntry:
        """Append an entry, or return the first one of this key, whatever it says.

        What was decided is never decided again: the first of several attempts wins.

        Parameters
        ----------
        model, kind, key, evidence, dag_run
            As for `record`.

        Returns
        -------
        LedgerEntry
            The entry as stored.
        """
        body = _plain_json(kind, key, evidence)

        def work(connection: Connection) -> LedgerEntry:
            first = _seek(connection, model, kind, key, newest=False)
            return first or _append(connection, model, kind, key, body, dag_run)

        return self._database.write(work)

    def entries(
        self,
        *,
        model: str | None = None,
        kind: str | None = None,
        key: str | None = None,
        history: bool = False,
    ) -> list[LedgerEntry]:
        """Return entries sorted by key: the newest of each (model, kind, key), or all of them.

        Parameters
        ----------
        model, kind, key : str, optional
            Only these.
        history : bool, default False
            Also the entries that a newer one of the same key has replaced, oldest first.
        """
        rows = table("entry")
        query = rows.select().order_by(rows.c.key, rows.c.seq)
        for name, wanted in (("model", model), ("kind", kind), ("key", key)):
            if wanted is not None:
                query = query.where(rows.c[name] == wanted)
        found = self._database.read(lambda c: [_entry(row) for row in c.execute(query)])
        if history:
            return found
        return list({(entry.model, entry.kind, entry.key): entry for entry in found}.values())

    def champion(self, model: str) -> Champion | None:
        """Return the champion of `model`, or None before the first promotion."""
        return self._database.read(lambda connection: _champion(connection, model))

    def promote(
        self,
        model: str,
        *,
        expected: str | None,
        version: str,
        key: str = "",
        evidence: Mapping[str, Any] | None = None,
        dag_run: str = "",
    ) -> bool:
        """Make `version` the champion if `expected` still is, and write down why: both or neither.

        Parameters
        ----------
        model : str
            Registered model.
        expected : str or None
            Version that the caller compared against; None for a first champion.
        version : str
            The new champion.
        key, evidence, dag_run
            As for `record`, of the entry of kind ``promotion``; none is written without evidence.

        Returns
        -------
        bool
            False if somebody else moved the champion meanwhile. True also when `version` is the
            champion already, so that a task may be run again.
        """
        body = None if evidence is None else _plain_json("promotion", key, evidence)

        def work(connection: Connection) -> bool:
            if not _move_champion(connection, model, expected, version):
                return False
            if body is not None:
                _append(connection, model, "promotion", key, body, dag_run)
            return True

        return self._database.write(work)

    def register(self, version: RegisteredVersion, *, recorded_by: str = "") -> bool:
        """Keep what is known of a version, once and for all: the first word counts.

        Parameters
        ----------
        version : RegisteredVersion
            A version whose files were examined.
        recorded_by : str, optional
            The Dag run, or the command.

        Returns
        -------
        bool
            False if the ledger knows this number as something else already, which stays.
        """

        def work(connection: Connection) -> bool:
            known = _registration(connection, version.name, version.version)
            if known is None:
                _insert_registration(connection, version, recorded_by)
                return True
            return (known.run_id, known.digest) == (version.run_id, version.digest)

        return self._database.write(work)

    def registration(self, model: str, version: str) -> RegisteredVersion | None:
        """Return what is known of a version, or None if nobody has registered or adopted it."""
        return self._database.read(lambda connection: _registration(connection, model, version))

    def registrations(self, model: str | None = None) -> list[RegisteredVersion]:
        """Return all that is known of versions, of one model or of all."""
        query = table("registration").select()
        if model is not None:
            query = query.where(table("registration").c.model == model)
        return self._database.read(lambda c: [_version(row) for row in c.execute(query)])

    def adopt(
        self, version: RegisteredVersion, *, evidence: Mapping[str, Any], recorded_by: str
    ) -> bool:
        """Take over a version on the word of a person, and write the word down.

        Parameters
        ----------
        version : RegisteredVersion
            A version whose files were examined.
        evidence : mapping
            Plain JSON: what the person saw and said.
        recorded_by : str
            The command.

        Returns
        -------
        bool
            False if the ledger knows other files under this number: those are the version.
        """
        body = _plain_json("adoption", version.version, evidence)

        def work(connection: Connection) -> bool:
            known = _registration(connection, version.name, version.version)
            if known is not None and known.digest != version.digest:
                return False
            if known is None:
                _insert_registration(connection, version, recorded_by)
            else:  # from before digests of artifacts were kept: only what is missing is added
                _complete_registration(connection, known, version)
            _append(connection, version.name, "adoption", version.version, body, recorded_by)
            return True

        return self._database.write(work)


def _registration(connection: Connection, model: str, version: str) -> RegisteredVersion | None:
    rows = table("registration")
    same = (rows.c.model == model) & (rows.c.version == version)
    row = connection.execute(rows.select().where(same)).first()
    return None if row is None else _version(row)


def _version(row: Any) -> RegisteredVersion:
    return RegisteredVersion(
        name=row.model,
        version=row.version,
        run_id=row.run_id,
        model_uri=row.model_uri,
        digest=row.digest,
        artifacts=dict(row.artifacts),
        metrics=dict(row.metrics),
    )


def _insert_registration(
    connection: Connection, version: RegisteredVersion, recorded_by: str
) -> None:
    values = asdict(version)
    values |= {"model": values.pop("name"), "recorded_by": recorded_by, "recorded_at": _now()}
    connection.execute(table("registration").insert().values(values))


def _complete_registration(
    connection: Connection, known: RegisteredVersion, found: RegisteredVersion
) -> None:
    rows = table("registration")
    same = (rows.c.model == known.name) & (rows.c.version == known.version)
    more = {
        "artifacts": found.artifacts | known.artifacts,
        "metrics": known.metrics or found.metrics,
    }
    connection.execute(rows.update().where(same).values(more))


def _plain_json(kind: str, key: str, evidence: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(evidence), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"evidence of {kind} {key!r} is not plain JSON: {error}") from error


def _append(
    connection: Connection, model: str, kind: str, key: str, body: str, dag_run: str
) -> LedgerEntry:
    newest = _seek(connection, model, kind, key, newest=True)
    if newest is not None and (newest.evidence, newest.dag_run) == (json.loads(body), dag_run):
        return newest
    values = {"model": model, "kind": kind, "key": key, "evidence": body, "dag_run": dag_run}
    connection.execute(table("entry").insert().values(**values, recorded_at=_now()))
    added = _seek(connection, model, kind, key, newest=True)
    assert added is not None  # noqa: S101 (it was added in this very transaction)
    return added


def _seek(
    connection: Connection, model: str, kind: str, key: str, *, newest: bool
) -> LedgerEntry | None:
    """Return the newest or the first entry of a key, if there is one."""
    entries = table("entry")
    same = (entries.c.model == model) & (entries.c.kind == kind) & (entries.c.key == key)
    order = entries.c.seq.desc() if newest else entries.c.seq
    row = connection.execute(entries.select().where(same).order_by(order).limit(1)).first()
    return None if row is None else _entry(row)


def _champion(connection: Connection, model: str) -> Champion | None:
    champions = table("champion")
    row = connection.execute(champions.select().where(champions.c.model == model)).first()
    return None if row is None else Champion(row.version, row.generation)


def _move_champion(connection: Connection, model: str, expected: str | None, version: str) -> bool:
    """Compare and set: the transaction sees nothing that another one changes meanwhile."""
    champions, current = table("champion"), _champion(connection, model)
    if current is not None and current.version == version:
        return True
    if (current.version if current else None) != expected:
        return False
    if current is None:
        first = {"model": model, "version": version, "generation": 1}
        connection.execute(champions.insert().values(first))
    else:
        next_one = {"version": version, "generation": current.generation + 1}
        connection.execute(champions.update().where(champions.c.model == model).values(next_one))
    return True


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
