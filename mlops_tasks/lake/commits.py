"""The record of every commit, kept outside the table, and compared with the table at read."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.lake.files import DataFile, sync

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deltalake import DeltaTable

__all__ = ["COMMIT_METADATA", "Commit", "CommitLog", "newest_by_partition"]

COMMIT_METADATA = "mlops"
_ROLLED_UP = "until.json"


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
        Day as of which the content was known; a training as of an earlier night never sees it.
    n_rows : int
        Rows of the partition.
    digest : str
        Content digest of the partition.
    files : tuple of DataFile
        Its files.
    """

    version: int
    partition: str
    token: int
    known_at: str
    n_rows: int
    digest: str
    files: tuple[DataFile, ...]

    def to_json(self) -> str:
        """Return the commit as one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, raw: dict[str, Any], **changes: Any) -> Commit:
        """Rebuild a commit from its JSON."""
        files = tuple(DataFile(**file) for file in raw["files"])
        return cls(**{**raw, "files": files, **changes})


@dataclass(frozen=True, slots=True)
class CommitLog:
    """The commit records of one table.

    Parameters
    ----------
    folder : Path
        Where the records are, beside the tables and not in them.
    """

    folder: Path

    def read(self) -> list[Commit]:
        """Return all recorded commits, oldest first."""
        if not self.folder.is_dir():
            return []
        names = sorted(path.name for path in self.folder.glob("*.json"))
        commits: dict[int, Commit] = {}
        for name in names:
            path = self.folder / name
            try:
                stamp = path.stat()
                found = _parse(str(path), stamp.st_mtime_ns, stamp.st_size)
            except FileNotFoundError:  # rolled up meanwhile: the roll-up is read again
                return self.read()
            except (ValueError, TypeError, KeyError) as error:
                raise DamagedTableError(
                    f"commit record {path} cannot be read ({error}); restore it from a backup, or "
                    "remove it: it is made again from the table's own log"
                ) from error
            commits.update({commit.version: commit for commit in found})
        return [commits[version] for version in sorted(commits)]

    def write(self, commits: Iterable[Commit]) -> None:
        """Record commits, each in one atomic write; recording again changes nothing."""
        for commit in commits:
            _replace(self.folder / f"{commit.version:020d}.json", f"[{commit.to_json()}]")

    def roll_up(self) -> int:
        """Gather all records into one file; return how many single files went into it."""
        commits = self.read()
        single = [path for path in self.folder.glob("*.json") if path.name != _ROLLED_UP]
        if len(single) < 2:
            return 0
        lines = ",\n".join(commit.to_json() for commit in commits)
        _replace(self.folder / _ROLLED_UP, f"[{lines}]")
        recorded = {commit.version for commit in commits}
        gone = [path for path in single if int(path.stem) in recorded]
        for path in gone:
            path.unlink(missing_ok=True)
        return len(gone)

    def adopt(self, delta: DeltaTable, known: list[Commit]) -> list[Commit]:
        """Record commits that a killed writer made but could not record, from the table's log."""
        newest = known[-1].version if known else -1
        if delta.version() <= newest:
            return known
        adopted = []
        for entry in delta.history(delta.version() - newest):
            if COMMIT_METADATA in entry and entry["version"] > newest:
                raw = json.loads(entry[COMMIT_METADATA])
                adopted.append(Commit.from_json(raw, version=entry["version"]))
        self.write(adopted)
        return known + sorted(adopted, key=lambda commit: commit.version)


def newest_by_partition(commits: Iterable[Commit]) -> dict[str, Commit]:
    """Return the newest commit of each partition.

    Parameters
    ----------
    commits : iterable of Commit
        Oldest first.
    """
    return {commit.partition: commit for commit in commits}


@lru_cache(maxsize=65_536)
def _parse(path: str, _mtime_ns: int, _size: int) -> tuple[Commit, ...]:
    """Parse one record; records never change, so a process reads each only once."""
    return tuple(Commit.from_json(raw) for raw in json.loads(Path(path).read_text()))


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync(path.parent)
