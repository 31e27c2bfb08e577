"""How the files of a folder are named: the template that a partition's key fills."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlops_tasks.exceptions import PartitionKeyError, ScaffoldError
from mlops_tasks.partitions import GRAINS, WEEK, Grain, GrainName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["FileLayout", "Format", "find_layout"]

Format = Literal["csv", "jsonl", "parquet"]

_PACKED = r"(\.(gz|bz2|zst))?"
_FORMATS: dict[Format, re.Pattern[str]] = {
    "csv": re.compile(rf".*\.(csv|tsv){_PACKED}", re.IGNORECASE),
    "jsonl": re.compile(rf".*\.(jsonl|ndjson){_PACKED}", re.IGNORECASE),
    "parquet": re.compile(r".*\.(parquet|pq)", re.IGNORECASE),
}
_Y, _M, _D, _H = r"(?P<y>\d{4})", r"(?P<m>\d\d)", r"(?P<d>\d\d)", r"(?P<h>\d\d)"
# By the length of a key.
_KINDS: dict[int, GrainName] = {7: "month", 10: "day", 13: "hour"}
# What may stand between year, month, day and hour.
_BETWEEN = (
    ("/", "/", "/"),
    ("/month=", "/day=", "/hour="),
    ("", "", "T"),
    ("", "", ""),
    ("_", "_", "_"),
    ("-", "-", "/"),
    ("-", "-", "_"),
)


def _named() -> list[tuple[re.Pattern[str], str]]:
    """Return what names a partition in a path, the longest first, and the fields for it."""
    found: list[tuple[str, str]] = [(f"{_Y}-{_M}-{_D}T{_H}", "{partition}")]
    for one, two, three in _BETWEEN:
        numbers = f"{_Y}{re.escape(one)}{_M}{re.escape(two)}{_D}{re.escape(three)}{_H}"
        found.append((numbers, f"{{year}}{one}{{month}}{two}{{day}}{three}{{hour}}"))
    found.append((f"{_Y}-{_M}-{_D}", "{partition}"))
    for one, two, _ in _BETWEEN:
        numbers = f"{_Y}{re.escape(one)}{_M}{re.escape(two)}{_D}"
        found.append((numbers, f"{{year}}{one}{{month}}{two}{{day}}"))
    found.append((f"{_Y}-{_M}", "{partition}"))
    for one, _, _ in _BETWEEN:
        found.append((f"{_Y}{re.escape(one)}{_M}", f"{{year}}{one}{{month}}"))
    return [(re.compile(rf"(?<!\d){numbers}(?!\d)"), fields) for numbers, fields in found]


_NAMED = _named()


@dataclass(frozen=True, slots=True)
class FileLayout:
    """The files of one dataset, each with the partition that it belongs to.

    Attributes
    ----------
    path : str
        Template below the root, as a `FileSource` takes it.
    format : str
        ``csv``, ``jsonl`` or ``parquet``.
    grain : str
        What partitions are, by the names.
    partitions : mapping of str to str
        File, below the root, to key.
    """

    path: str
    format: Format
    grain: GrainName
    partitions: Mapping[str, str]


def find_layout(root: Path, folder: str) -> FileLayout:
    """Find the files of a dataset and how they are named.

    Raises
    ------
    ScaffoldError
        If there are none, of several datasets or formats, or names do not say a partition.
    """
    files = _data_files(root, folder)
    kind = _one_format(files, root / folder)
    stamped = {file: stamp for file in files if (stamp := _stamp(file))}
    if nameless := sorted(set(files) - set(stamped)):
        raise ScaffoldError(
            f"folder {str(root / folder)!r}: the path of {nameless[0]!r} names no day; name each "
            "file, or a folder above it, for its partition, as 2024-03-31.csv, 2024/03/31/part.csv "
            "or 2024-03.csv"
        )
    path = _one_template({template for template, _ in stamped.values()}, root / folder)
    keys = {file: key for file, (_, key) in stamped.items()}
    return FileLayout(path, kind, _grain(set(keys.values()), root / folder), keys)


def _data_files(root: Path, folder: str) -> list[str]:
    base = root / folder
    if not base.is_dir():
        beside = sorted(path.name for path in root.iterdir() if path.is_dir())
        raise ScaffoldError(f"there is no folder {folder!r} in {str(root)!r}; there are {beside}")
    files = [
        path.relative_to(root).as_posix()
        for path in sorted(base.rglob("*"))
        if path.is_file() and any(kind.fullmatch(path.name) for kind in _FORMATS.values())
    ]
    shown = [file for file in files if not re.search(r"(^|/)[_.]", file)]
    if not shown:
        raise ScaffoldError(
            f"folder {str(base)!r} has no CSV, Parquet or JSON-lines file; give the folder that "
            "holds them, or one above it"
        )
    return shown


def _one_format(files: Sequence[str], folder: Path) -> Format:
    counts = Counter(
        next(name for name, kind in _FORMATS.items() if kind.fullmatch(file)) for file in files
    )
    if len(counts) > 1:
        raise ScaffoldError(
            f"folder {str(folder)!r} has files of several formats, {dict(counts)}; keep each "
            "dataset in a folder of its own and name it with --table"
        )
    return next(iter(counts))


def _stamp(file: str) -> tuple[str, str] | None:
    """Return a path with a field in place of the day that it names, and the partition's key."""
    for pattern, fields in _NAMED:
        found = pattern.search(file)
        key = found and _key(found.groupdict())
        if found and key:
            around = (file[: found.start()], file[found.end() :])
            return fields.join(part.replace("{", "{{").replace("}", "}}") for part in around), key
    return None


def _key(numbers: Mapping[str, str]) -> str | None:
    """Return the key, unless there is no such day."""
    parts = [numbers[name] for name in "ymd" if name in numbers]
    key = "-".join(parts) + (f"T{numbers['h']}" if "h" in numbers else "")
    kind = _KINDS[len(key)]
    try:
        return GRAINS[kind].check(key)
    except PartitionKeyError:
        return None


def _one_template(templates: set[str], folder: Path) -> str:
    """Return the template; where files of one partition differ in their names, with a glob."""
    if len(templates) == 1:
        return next(iter(templates))
    folders = {template.rpartition("/")[0] for template in templates}
    names = [template.rpartition("/")[2] for template in templates]
    if len(folders) > 1:
        tops = sorted({template.partition("/")[0] for template in templates})
        raise ScaffoldError(
            f"folder {str(folder)!r} has files of several datasets, in {tops}; say with --table "
            "which folder holds the rows"
        )
    field = re.search(r"\{.*\}", names[0])
    suffix = re.compile(r"\.\w+(\.(gz|bz2|zst))?$").search(names[0])
    ending = suffix[0] if suffix else ""
    middle = f"*{field[0]}*" if field else "*"
    return "/".join(filter(None, (next(iter(folders)), f"{middle}{ending}")))


def _grain(keys: set[str], folder: Path) -> GrainName:
    lengths = {len(key) for key in keys}
    if len(lengths) > 1:
        raise ScaffoldError(
            f"folder {str(folder)!r} names hours, days and months in one; keep one grain"
        )
    kind = _KINDS[lengths.pop()]
    if kind == "day" and len(keys) > 2 and all(_is_monday(key) for key in keys):
        return "week"
    return kind


def _is_monday(key: str) -> bool:
    day: Grain = GRAINS["day"]
    return WEEK.key_at(day.begins(key)) == key
