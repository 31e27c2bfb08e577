"""The ledger itself: what may be asked of it and said to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import ChampionChangedError, VersionNotAllowedError
from mlops_tasks.registry.ledger import statements
from mlops_tasks.registry.ledger.chain import Head
from mlops_tasks.registry.ledger.database import Database
from mlops_tasks.registry.ledger.records import CHAMPION_MOVES, Champion, EvidenceKind
from mlops_tasks.registry.ledger.tables import table
from mlops_tasks.registry.ledger.verification import verify
from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from mlops_tasks.registry.ledger.records import LedgerEntry
    from mlops_tasks.registry.ledger.verification import LedgerCheck
    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = ["Ledger"]

# Attempts that took their number from a ledger that was lost meanwhile may still be at work.
_GAP = 1_000_000
_RETIRED = EvidenceKind.RETIREMENT


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
    >>> ledger.newest("m", "decision").evidence
    {'retrain': False}
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
        self,
        *,
        model: str,
        kind: str,
        key: str,
        evidence: Mapping[str, Any],
        dag_run: str = "",
        by: str = "",
    ) -> LedgerEntry:
        """Append an entry, or return the newest one of this key if it says the same already.

        Parameters
        ----------
        model, kind, key : str
            What the entry is about; `kind` is an `EvidenceKind` or its value.
        evidence : mapping
            Plain JSON; NaN and infinity are refused.
        dag_run : str, optional
            ``dag_id/run_id`` of the run that found it.
        by : str, optional
            Who wanted it: a person's name, or ``"schedule"``.

        Returns
        -------
        LedgerEntry
            The entry as stored.

        Raises
        ------
        ValueError
            If the evidence is not plain JSON, or there is no such kind.
        """
        kind, body = EvidenceKind(kind), statements.plain_json(kind, key, evidence)
        return self._database.write(
            lambda connection: statements.append(connection, model, kind, key, body, dag_run, by)
        )

    def record_once(
        self,
        *,
        model: str,
        kind: str,
        key: str,
        evidence: Mapping[str, Any],
        dag_run: str = "",
        by: str = "",
        about: Mapping[str, Any] | None = None,
    ) -> LedgerEntry:
        """Append an entry, or return the first one of this key, whatever it says.

        What was decided is never decided again: the first of several attempts wins.

        Parameters
        ----------
        model, kind, key, evidence, dag_run, by
            As for `record`.
        about : mapping, optional
            Where a key has entries about several things: fields of the evidence that tell which.

        Returns
        -------
        LedgerEntry
            The entry as stored.
        """
        kind, body = EvidenceKind(kind), statements.plain_json(kind, key, evidence)

        def work(connection: Connection) -> LedgerEntry:
            there = statements.first(connection, model=model, kind=kind, key=key, about=about)
            return there or statements.append(connection, model, kind, key, body, dag_run, by)

        return self._database.write(work)

    def record_next(
        self,
        follow: Callable[[LedgerEntry | None], Mapping[str, Any] | None],
        *,
        model: str,
        kind: str,
        key: str,
        dag_run: str = "",
        by: str = "",
    ) -> LedgerEntry | None:
        """Append what follows from the newest entry of a key, while nobody else appends.

        Parameters
        ----------
        follow : callable
            Takes the newest entry of the key, None before the first one, and returns the evidence
            of the next one, or None if there is nothing to add. It may be called again after a
            lost race, and does nothing else.
        model, kind, key, dag_run, by
            As for `record`.

        Returns
        -------
        LedgerEntry or None
            The entry as stored; None if there was nothing to add.
        """
        kind = EvidenceKind(kind)

        def work(connection: Connection) -> LedgerEntry | None:
            about = {"model": model, "kind": str(kind), "key": key}
            found = statements.newest_of_keys(connection, 1, **about)
            evidence = follow(found[0] if found else None)
            if evidence is None:
                return None
            body = statements.plain_json(kind, key, evidence)
            return statements.append(connection, model, kind, key, body, dag_run, by)

        return self._database.write(work)

    def newest(
        self,
        model: str,
        kind: str,
        *,
        key: str | None = None,
        model_version: str | None = None,
        as_of: str | None = None,
    ) -> LedgerEntry | None:
        """Return the newest entry of a key, or of the last key there is.

        Parameters
        ----------
        model, kind : str
            What it is about.
        key, model_version : str, optional
            Only this key, only evidence about this version of the model.
        as_of : str, optional
            Only what was known by this day: neither key nor ``known_at`` of the evidence is later.

        Returns
        -------
        LedgerEntry or None
            None if there is none.
        """
        found = self._database.read(
            lambda connection: statements.newest_of_keys(
                connection,
                1,
                as_of=as_of,
                model=model,
                kind=kind,
                key=key,
                model_version=model_version,
            )
        )
        return found[0] if found else None

    def newest_of_keys(
        self,
        model: str,
        kind: str,
        n_keys: int,
        *,
        model_version: str | None = None,
        as_of: str | None = None,
    ) -> list[LedgerEntry]:
        """Return the newest entry of each of the last `n_keys` keys, oldest key first.

        Parameters
        ----------
        model, kind : str
            What they are about.
        n_keys : int
            At most this number of keys.
        model_version, as_of : str, optional
            As for `newest`.
        """
        return self._database.read(
            lambda connection: statements.newest_of_keys(
                connection,
                n_keys,
                as_of=as_of,
                model=model,
                kind=kind,
                model_version=model_version,
            )
        )

    def newest_entries(self, model: str, kind: str, n: int) -> list[LedgerEntry]:
        """Return the last `n` entries of a kind, whatever their keys, oldest first.

        Parameters
        ----------
        model, kind : str
            What they are about.
        n : int
            At most this number of entries.
        """
        return self._database.read(
            lambda connection: statements.newest_entries(connection, n, model=model, kind=kind)
        )

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
        found = self._database.read(
            lambda connection: statements.entries(connection, model=model, kind=kind, key=key)
        )
        if history:
            return found
        return list({(entry.model, entry.kind, entry.key): entry for entry in found}.values())

    def champion(self, model: str) -> Champion | None:
        """Return the champion of `model`, or None before the first promotion."""
        return self._database.read(lambda connection: statements.champion(connection, model))

    def champion_as_of(self, model: str, as_of: str) -> str | None:
        """Return the version that was champion on a day, as far as was known on that day.

        Parameters
        ----------
        model : str
            Registered model.
        as_of : str
            The day.

        Returns
        -------
        str or None
            The champion of today unless something was decided or promoted as of a later day: then
            the last one promoted before that. None if there was none, or it is not written down.
        """
        return self._database.read(
            lambda connection: statements.champion_as_of(connection, model, as_of)
        )

    def promote(
        self,
        model: str,
        *,
        version: str,
        generation: int,
        key: str,
        evidence: Mapping[str, Any],
        dag_run: str = "",
        by: str = "",
        kind: str = EvidenceKind.PROMOTION,
    ) -> Champion:
        """Make `version` the champion and write down why, or neither.

        Parameters
        ----------
        model : str
            Registered model.
        version : str
            The new champion.
        generation : int
            That of the champion it was compared with, 0 where there was none. A version that has
            returned to its place meanwhile has another generation.
        key, evidence, dag_run, by
            As for `record`. Added to the evidence are ``version``, the new ``generation`` and
            ``previous``, the version that it replaced.
        kind : str, default ``"promotion"``
            Of the entry: a promotion or a rollback.

        Returns
        -------
        Champion
            As it is now. Nothing is written where the version has this place already, so that a
            task may be run again.

        Raises
        ------
        ChampionChangedError
            If the champion was moved meanwhile.
        VersionNotAllowedError
            If the version was retired.
        """
        kind, now = EvidenceKind(kind), Champion(version, generation + 1)
        if kind not in CHAMPION_MOVES:
            raise ValueError(f"an entry of kind {kind!s} moves no champion")

        def work(connection: Connection) -> Champion:
            before = statements.champion(connection, model)
            found = before.generation if before else 0
            if before and before.version == version and found in {generation, now.generation}:
                return before
            if found != generation:
                raise ChampionChangedError(_changed(model, version, generation, before))
            if gone := statements.first(connection, model=model, kind=_RETIRED, key=version):
                raise VersionNotAllowedError(_retired(gone))
            move = to_json(now) | {"previous": before.version if before else None}
            body = statements.plain_json(kind, key, {**evidence, **move})
            statements.set_champion(connection, model, now)
            statements.append(connection, model, kind, key, body, dag_run, by)
            return now

        return self._database.write(work)

    def retire(
        self, model: str, version: str, *, evidence: Mapping[str, Any], by: str = ""
    ) -> LedgerEntry:
        """Take a version out of use: it can never be the champion any more.

        Parameters
        ----------
        model, version : str
            Registered model and version.
        evidence : mapping
            Plain JSON: why.
        by : str, optional
            As for `record`.

        Returns
        -------
        LedgerEntry
            The first word on it counts.

        Raises
        ------
        VersionNotAllowedError
            If it is the champion.
        """
        body = statements.plain_json(_RETIRED, version, evidence)

        def work(connection: Connection) -> LedgerEntry:
            now = statements.champion(connection, model)
            if now is not None and now.version == version:
                raise VersionNotAllowedError(
                    f"version {version} is the champion of {model!r} and cannot be retired: roll "
                    "back or promote another one first"
                )
            there = statements.first(connection, model=model, kind=_RETIRED, key=version)
            return there or statements.append(connection, model, _RETIRED, version, body, "", by)

        return self._database.write(work)

    def register(self, version: RegisteredVersion, *, recorded_by: str = "", by: str = "") -> bool:
        """Keep what is known of a version, once and for all: the first word counts.

        Parameters
        ----------
        version : RegisteredVersion
            A version whose files were examined.
        recorded_by : str, optional
            The Dag run, or the command.
        by : str, optional
            As for `record`.

        Returns
        -------
        bool
            False if the ledger knows this number as something else already, which stays.
        """

        def work(connection: Connection) -> bool:
            known = statements.registration(connection, version.name, version.version)
            if known is None:
                statements.insert_registration(connection, version, recorded_by, by)
                return True
            return (known.run_id, known.digest) == (version.run_id, version.digest)

        return self._database.write(work)

    def registration(self, model: str, version: str) -> RegisteredVersion | None:
        """Return what is known of a version, or None if nobody has registered or adopted it."""
        return self._database.read(
            lambda connection: statements.registration(connection, model, version)
        )

    def registrations(self, model: str | None = None) -> list[RegisteredVersion]:
        """Return all that is known of versions, of one model or of all."""
        return self._database.read(lambda connection: statements.registrations(connection, model))

    def adopt(
        self,
        version: RegisteredVersion,
        *,
        evidence: Mapping[str, Any],
        recorded_by: str,
        by: str = "",
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
        by : str, optional
            The person.

        Returns
        -------
        bool
            False if the ledger knows other files under this number: those are the version.
        """
        kind, (name, number) = EvidenceKind.ADOPTION, (version.name, version.version)
        body = statements.plain_json(kind, number, evidence)

        def work(connection: Connection) -> bool:
            known = statements.registration(connection, name, number)
            if known is not None and known.digest != version.digest:
                return False
            if known is None:
                statements.insert_registration(connection, version, recorded_by, by)
            else:  # from before digests of artifacts were kept: only what is missing is added
                statements.complete_registration(connection, known, version, recorded_by, by)
            statements.append(connection, name, kind, number, body, recorded_by, by)
            return True

        return self._database.write(work)

    def models(self) -> list[str]:
        """Return the models that have a registered version or a champion, sorted."""
        return self._database.read(statements.models)

    def lifecycle(self, model: str) -> list[LedgerEntry]:
        """Return what happened to the versions of a model, oldest first: who moved what, and why.

        Parameters
        ----------
        model : str
            Registered model.

        Returns
        -------
        list of LedgerEntry
            Registrations, adoptions, promotions, rollbacks, retirements, and moves of aliases.
        """
        return self._database.read(lambda connection: statements.lifecycle(connection, model))

    def aliases(self, model: str) -> dict[str, str | None]:
        """Return where the aliases of a model were last put in MLflow, None where removed."""
        return self._database.read(lambda connection: statements.aliases(connection, model))

    def keep_alias(self, model: str, alias: str, version: str | None) -> None:
        """Keep where an alias of a model was put in MLflow."""
        self._database.write(
            lambda connection: statements.keep_alias(connection, model, alias, version)
        )

    def head(self) -> Head:
        """Return the last entry's number and hash, which vouch for all before it."""

        def work(connection: Connection) -> Head:
            row = connection.execute(table("head").select()).one()
            return Head(row.seq, row.hash)

        return self._database.read(work)

    def verify(self, anchors: Sequence[Head] = ()) -> LedgerCheck:
        """Check that nothing was changed, put in, removed or cut off since it was written.

        Parameters
        ----------
        anchors : sequence of Head, optional
            Heads that were written down elsewhere, see `read_anchors`: without them a tail that
            was cut off with its head, and a chain that was written anew, are not noticed.

        Returns
        -------
        LedgerCheck
            Also whether champions and registered versions are those of the entries.
        """
        return self._database.read(lambda connection: verify(connection, anchors))


def _changed(model: str, version: str, generation: int, now: Champion | None) -> str:
    expected = f"the champion of generation {generation}" if generation else "no champion"
    found = f"version {now.version}, generation {now.generation}" if now else "none"
    return (
        f"model {model!r}: version {version} was compared with {expected}, but the champion is "
        f"{found}, by now; nothing was changed. Train again to compare with the new champion"
    )


def _retired(entry: LedgerEntry) -> str:
    who, why = entry.by or "somebody", entry.evidence.get("reason", "no reason is known")
    return (
        f"version {entry.key} of {entry.model!r} was retired by {who} on "
        f"{entry.recorded_at:%Y-%m-%d}: {why}. It cannot be the champion; choose another version, "
        "or train again"
    )
