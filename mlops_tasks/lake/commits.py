"""The record of every commit, kept outside the table, and compared with the table at read."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.faults import fault_point
from mlops_tasks.formats import check_format
from mlops_tasks.lake.data_files import DataFile  # noqa: TC001 (records are rebuilt by it)
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.storage import remove, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ASSUMED",
    "COMMITTED",
    "COMMIT_METADATA",
    "GIVEN",
    "Commit",
    "CommitLog",
    "Records",
    "newest_by_partition",
]

#: Content counts as known when it was really committed, by its schedule's own run or later.
COMMITTED = "committed"
#: It was committed later, and counts as known when its schedule would have taken it in.
ASSUMED = "assumed"
#: A person, or a program of theirs, has named the day.
GIVEN = "given"

COMMIT_METADATA = "mlops"
_ROLLED_UP = "until.json"
# Format 1 had, in place of the names of the columns, sums over each of them; 2.0 said neither by
# what content is known nor when it was committed.
_FORMAT = "2.1"


@dataclass(frozen=True, slots=True)
class Commit:
    """What one commit put into one partition.

    Attributes
    ----------
    version : int
        Version of the table that the commit made.
    partition : str
        Partition it replaced.
    token : int
        Number of the attempt, which fences off older ones.
    known_at : str
        Day as of which the content counts as known; a training as of an earlier day never sees it.
    n_rows : int
        Rows of the partition.
    digest : str
        Content digest of the partition.
    columns : tuple of str
        Columns that its files have, sorted; those that the table got later are null there.
    files : tuple of DataFile
        Its files.
    known_by : str
        By what it is known then: ``committed``, ``assumed`` from its schedule, or ``given`` by
        somebody; empty where an older version of the project has not recorded it.
    committed_at : str
        When it was really committed, an instant in UTC (ISO 8601); empty as `known_by` is.
    inputs : dict of str to dict
        Of a derived dataset: the pinned rows of the lake that it was computed from, by table.
    later : dict
        What a newer version of the project has recorded beside: kept when records are gathered.
    """

    version: int
    partition: str
    token: int
    known_at: str
    n_rows: int
    digest: str
    columns: tuple[str, ...]
    files: tuple[DataFile, ...]
    known_by: str = ""
    committed_at: str = field(default="", compare=False)
    inputs: dict[str, Any] = field(default_factory=dict)
    later: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def assumed(self) -> bool:
        """Whether it counts as known when its schedule would have taken it in, not as it was."""
        return self.known_by == ASSUMED

    def to_json(self) -> str:
        """Return the commit as one line of JSON."""
        raw = {"format": _FORMAT} | to_json(self) | self.later
        del raw["later"]
        if not self.inputs:
            del raw["inputs"]
        return json.dumps(raw, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, raw: dict[str, Any], **changes: Any) -> Commit:
        """Rebuild a commit from its JSON, whichever version of the project wrote it.

        Raises
        ------
        NewerFormatError
            If that was a version whose records mean something else.
        """
        check_format(raw, _FORMAT, "a commit record")
        columns = sorted(raw["columns"] if "columns" in raw else raw["sums"]["columns"])
        return from_json(cls, raw | {"columns": columns, "later": _later(raw)} | changes)


@dataclass(frozen=True, slots=True)
class Records:
    """What is recorded of one table.

    Attributes
    ----------
    commits : dict of int to Commit
        By version, oldest first.
    until : int
        Up to this version nothing is missing: what has no record is no commit of this project.
    """

    commits: dict[int, Commit]
    until: int


@dataclass(frozen=True, slots=True)
class CommitLog:
    """The commit records of one table.

    Parameters
    ----------
    folder : Path
        Where the records are, beside the tables and not in them.
    """

    folder: Path

    def read(self) -> Records:
        """Return all that is recorded.

        Raises
        ------
        DamagedTableError
            If a record cannot be read.
        """
        commits: dict[int, Commit] = {}
        until = -1
        for path in [*self.singles(), self.folder / _ROLLED_UP]:  # in this order: see `roll_up`
            try:
                found = _parsed(path)
            except FileNotFoundError:
                if path.name == _ROLLED_UP:
                    continue
                return self.read()  # rolled up meanwhile: the roll-up is read again
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise DamagedTableError(
                    f"commit record {path} cannot be read ({error}); restore it from a backup, or "
                    "remove it: it is made again from the table's own log as far back as that goes"
                ) from error
            commits.update(found.commits)
            until = max(until, found.until)
        return Records({version: commits[version] for version in sorted(commits)}, until)

    def singles(self) -> list[Path]:
        """Return the files that hold one record each, oldest first."""
        return sorted(self.folder.glob("[0-9]*.json"))

    def write(self, commits: Iterable[Commit]) -> None:
        """Record commits, each in one atomic write; recording again changes nothing."""
        for commit in commits:
            text = f'{{"format":"{_FORMAT}","until":-1,"commits":[{commit.to_json()}]}}'
            replace_file(self.folder / f"{commit.version:020d}.json", text.encode())

    def roll_up(self, records: Records) -> int:
        """Gather records into one file; return how many single files went into it.

        The file is complete before the first single one goes, and is read after them: a reader
        finds every record in at least one of the two.
        """
        lines = ",\n".join(commit.to_json() for commit in records.commits.values())
        head = f'"format":"{_FORMAT}","until":{records.until}'
        rolled_up = f'{{{head},"commits":[\n{lines}]}}'
        replace_file(self.folder / _ROLLED_UP, rolled_up.encode())
        fault_point("optimize:mid_roll_up")
        gone = [path for path in self.singles() if int(path.stem) in records.commits]
        for path in gone:
            remove(path)
        return len(gone)

    def adopt(self, log: Path, version: int, known: Records) -> Records:
        """Record commits that a killed writer made but could not record, from the table's log.

        Parameters
        ----------
        log : Path
            The table's own log.
        version : int
            Newest version of the table.
        known : Records
            What is recorded, read before the table was.

        Returns
        -------
        Records
            Complete up to the version.
        """
        missing = [v for v in range(known.until + 1, version + 1) if v not in known.commits]
        adopted = [commit for v in missing if (commit := _committed(log, v)) is not None]
        fault_point("adopt:before_write")
        with suppress(OSError):  # a full or read-only disk: the next reader does it
            self.write(adopted)
        everything = known.commits | {commit.version: commit for commit in adopted}
        return Records({v: everything[v] for v in sorted(everything)}, max(version, known.until))


def _later(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a newer minor format, its number included."""
    found, known = (_numbers(str(text)) for text in (raw.get("format", "1.0"), _FORMAT))
    if found[0] != known[0] or found <= known:
        return {}
    names = {one.name for one in fields(Commit)}
    return {key: value for key, value in raw.items() if key not in names}


def _numbers(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor or 0)


def newest_by_partition(commits: Iterable[Commit]) -> dict[str, Commit]:
    """Return the newest commit of each partition.

    Parameters
    ----------
    commits : iterable of Commit
        Oldest first.
    """
    return {commit.partition: commit for commit in commits}


def _committed(log: Path, version: int) -> Commit | None:
    """Read what one version of the table committed; None if it is no commit of this project."""
    path = log / f"{version:020d}.json"
    try:
        lines = path.read_text().splitlines()
        infos = [info for line in lines if (info := json.loads(line).get("commitInfo"))]
        ours = [json.loads(info[COMMIT_METADATA]) for info in infos if COMMIT_METADATA in info]
        return Commit.from_json(ours[0], version=version) if ours else None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DamagedTableError(
            f"{path} has no record and cannot be read ({error}); restore it from a backup"
        ) from error


def _parsed(path: Path) -> Records:
    """Parse one file of records; as they hardly ever change, a process reads each only once."""
    stamp = path.stat()
    parse = _parse_rolled_up if path.name == _ROLLED_UP else _parse
    return parse(str(path), stamp.st_ino, stamp.st_mtime_ns, stamp.st_size)


def _parse_file(path: str, *_stamp: int) -> Records:
    raw = json.loads(Path(path).read_text())
    check_format(raw, _FORMAT, f"commit record {path}")
    commits = [Commit.from_json(commit) for commit in raw["commits"]]
    return Records({commit.version: commit for commit in commits}, raw["until"])


_parse = lru_cache(maxsize=8192)(_parse_file)
_parse_rolled_up = lru_cache(maxsize=16)(_parse_file)  # few: each holds a table's whole past
