"""Walk a ledger's chain and name the first entry that is not what was written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlops_tasks.registry.ledger import statements
from mlops_tasks.registry.ledger.chain import BEGINNING, Head, entry_hash
from mlops_tasks.registry.ledger.records import CHAMPION_MOVES, EvidenceKind
from mlops_tasks.registry.ledger.tables import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from mlops_tasks.registry.ledger.records import LedgerEntry

__all__ = ["Finding", "LedgerCheck", "verify"]

_NEAR = 1_000  # how far from its place an entry with another number is looked for


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as the ledger was written.

    Attributes
    ----------
    kind : str
        ``changed``, ``inserted``, ``removed``, ``moved``, ``cut``, ``rewritten``, ``added``,
        ``unguarded``, ``champion``, ``registration`` or ``alias``.
    seq : int or None
        The first entry it is about.
    text : str
        In a sentence.
    """

    kind: str
    seq: int | None
    text: str


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """What was found, in three answers.

    Attributes
    ----------
    answer : str
        ``fine``; ``alarm``, where something is not as it was written; ``cannot_tell``, where
        nothing is, and something could not be looked at.
    n_entries : int
        Entries in the chain.
    head : Head
        The last of them.
    findings : tuple of Finding
        What is wrong, the first entry first.
    unknown : tuple of str
        What could not be looked at, and why.
    notes : tuple of str
        What is fine and should be known.
    """

    answer: str
    n_entries: int
    head: Head
    findings: tuple[Finding, ...] = ()
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def with_more(
        self,
        findings: Iterable[Finding] = (),
        unknown: Iterable[str] = (),
        notes: Iterable[str] = (),
    ) -> LedgerCheck:
        """Return the check with what was looked at elsewhere."""
        found, open_ = (*self.findings, *findings), (*self.unknown, *unknown)
        return replace(
            self,
            answer="alarm" if found else "cannot_tell" if open_ else "fine",
            findings=found,
            unknown=open_,
            notes=(*self.notes, *notes),
        )


def verify(connection: Connection, anchors: Sequence[Head]) -> LedgerCheck:
    """Check the chain, its anchors, and the tables that follow from its entries."""
    findings: list[Finding] = []
    entries, broken = _walk(connection)
    last = Head(entries[-1].seq, entries[-1].hash) if entries else Head(0, BEGINNING)
    if broken is not None:
        findings.append(broken)
    else:
        findings += _unlike_head(connection, last) or _unlike_anchors(entries, last, anchors)
    findings += _unguarded(connection)
    findings += _champions(connection, entries)
    findings += _registrations(connection, entries)
    return LedgerCheck("fine", len(entries), last).with_more(findings, notes=_notes(entries))


# --- the chain


def _walk(connection: Connection) -> tuple[list[LedgerEntry], Finding | None]:
    """Return the entries in their order, and what is wrong with the first that is wrong."""
    entries: list[LedgerEntry] = []
    before, found = Head(0, BEGINNING), None
    for row in _rows(connection):
        try:
            entry = statements.entry_of(row)
        except (ValueError, TypeError) as error:
            text = f"entry {row.seq} was changed: it cannot be read ({error})"
            found = found or Finding("changed", row.seq, text)
            continue
        found = found or _wrong(entry, row, before)
        entries.append(entry)
        before = Head(entry.seq, entry.hash)
    return entries, found


def _rows(connection: Connection) -> Iterator[Any]:
    """Yield rows; times as they are stored, for whoever changes one may spoil it."""
    import sqlalchemy as sa

    columns = [
        sa.type_coerce(column, sa.String).label(column.name)
        if column.name == "recorded_at"
        else column
        for column in table("entry").c
    ]
    query = sa.select(*columns).order_by(table("entry").c.seq)
    yield from connection.execution_options(yield_per=1_000).execute(query)


def _wrong(entry: LedgerEntry, row: Any, before: Head) -> Finding | None:
    about = f"entry {entry.seq} ({entry.kind} {entry.key!r} of {entry.model!r})"
    if entry_hash(entry) != entry.hash:
        return _not_itself(entry, about, before)
    if entry.previous_hash != before.hash:
        return _not_linked(entry, about, before)
    for name in statements.ASKED_BY:
        if getattr(row, name) != str(entry.evidence.get(name) or ""):
            return Finding("changed", entry.seq, f"{about} was changed: its column {name}")
    return None


def _not_linked(entry: LedgerEntry, about: str, before: Head) -> Finding:
    """Say of an entry that is as it was written why the one before it is not that of then."""
    if entry.seq > before.seq + 1:
        gone = _range(before.seq + 1, entry.seq - 1)
        return Finding("removed", before.seq + 1, f"{gone} removed, before {about}")
    text = f"entry {before.seq} was written anew: {about} names another hash before it"
    return Finding("changed", before.seq, text)


def _not_itself(entry: LedgerEntry, about: str, before: Head) -> Finding:
    """Say of an entry whose hash is not its own whether it has only got another number."""
    near = range(max(1, entry.seq - _NEAR), entry.seq + _NEAR)
    was = next((n for n in near if entry_hash(replace(entry, seq=n)) == entry.hash), None)
    if was is None:
        return Finding("changed", entry.seq, f"{about} was changed: it has not the hash it names")
    if was > entry.seq:
        gone = _range(before.seq + 1, was - 1)
        text = f"{gone} removed or moved: {about} was written as entry {was}"
        return Finding("removed", before.seq + 1, text)
    text = f"entry {was} was put in or moved: {about} was written as entry {was}"
    return Finding("inserted", was, text)


def _range(first: int, last: int) -> str:
    return f"entry {first} was" if first >= last else f"entries {first} to {last} were"


def _unlike_head(connection: Connection, last: Head) -> list[Finding]:
    heads = [Head(row.seq, row.hash) for row in connection.execute(table("head").select())]
    if heads == [last]:
        return []
    if len(heads) == 1 and heads[0].seq > last.seq:
        gone = _range(last.seq + 1, heads[0].seq)
        return [Finding("cut", last.seq + 1, f"the tail was cut: {gone} removed")]
    after = heads[0].seq + 1 if len(heads) == 1 and heads[0].seq < last.seq else None
    text = "entries were added beside the ledger" if after else "the head of the chain was changed"
    return [Finding("added" if after else "changed", after, text)]


def _unlike_anchors(
    entries: Sequence[LedgerEntry], last: Head, anchors: Sequence[Head]
) -> list[Finding]:
    hashes, same = {entry.seq: entry.hash for entry in entries}, 0
    for one in sorted(anchors, key=lambda anchor: anchor.seq):
        if hashes.get(one.seq) == one.hash:
            same = one.seq
        elif one.seq > last.seq:
            gone = _range(last.seq + 1, one.seq)
            text = f"the tail was cut: {gone} there when the head was anchored"
            return [Finding("cut", last.seq + 1, text)]
        else:
            text = (
                f"the chain was written anew after entry {same}: entry {one.seq} is not the one "
                "that was anchored"
            )
            return [Finding("rewritten", same + 1, text)]
    return []


def _unguarded(connection: Connection) -> list[Finding]:
    """Say so where the database does not refuse to change entries any more."""
    import sqlalchemy as sa

    if connection.dialect.name == "sqlite":
        query = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'entry'"
        wanted = 3
    else:
        query = (
            "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'entry'::regclass "
            "AND tgname LIKE 'entry_is_%' AND tgenabled = 'O'"
        )
        wanted = 2
    if connection.scalar(sa.text(query)) == wanted:
        return []
    text = "the triggers that keep entries as they are were removed from the database"
    return [Finding("unguarded", None, text)]


# --- what follows from the entries


def _champions(connection: Connection, entries: Sequence[LedgerEntry]) -> list[Finding]:
    said = dict[str, tuple[str, int | None]]()
    for entry in entries:
        if entry.kind == EvidenceKind.CHAIN:
            for model, one in entry.evidence.get("champions", {}).items():
                said[model] = (one["version"], one["generation"])
        elif entry.kind in CHAMPION_MOVES:
            evidence = entry.evidence
            said[entry.model] = (str(evidence.get("version")), evidence.get("generation"))
    stored = {row.model: row for row in connection.execute(table("champion").select())}
    findings = []
    for model in sorted(said.keys() | stored.keys()):
        row, (version, generation) = stored.get(model), said.get(model, (None, None))
        found = (row.version, row.generation) if row else (None, None)
        if found != (version, found[1] if generation is None else generation):
            now = f"version {row.version}, generation {row.generation}" if row else "none"
            then = f"version {version}, generation {generation}" if version else "none"
            text = f"the champion of {model!r} is {now}; by its entries it is {then}"
            findings.append(Finding("champion", None, text))
    return findings


def _registrations(connection: Connection, entries: Sequence[LedgerEntry]) -> list[Finding]:
    said = {
        (entry.model, entry.key): entry.evidence
        for entry in entries
        if entry.kind == EvidenceKind.REGISTRATION
    }
    try:
        known = statements.registrations(connection, None)
    except (ValueError, TypeError) as error:
        text = f"the registrations were changed: they cannot be read ({error})"
        return [Finding("registration", None, text)]
    stored = {(one.name, one.version): statements.registration_evidence(one) for one in known}
    findings = []
    for name, version in sorted(said.keys() | stored.keys()):
        now, then = stored.get((name, version)), said.get((name, version))
        if now == then:
            continue
        about = f"version {version} of {name!r}"
        if now is None or then is None:
            text = f"{about} has {'no row' if now is None else 'no entry'} of its registration"
        else:
            keys = sorted(key for key in now.keys() | then.keys() if now.get(key) != then.get(key))
            text = f"{about}: {', '.join(keys)} of its registration was changed"
        findings.append(Finding("registration", None, text))
    return findings


def _notes(entries: Sequence[LedgerEntry]) -> list[str]:
    return [
        f"entries up to {entry.evidence['last']} were chained on "
        f"{entry.recorded_at:%Y-%m-%d}, when the ledger was upgraded: what was changed before, "
        "nobody can tell"
        for entry in entries
        if entry.kind == EvidenceKind.CHAIN and entry.evidence.get("n_entries")
    ]
