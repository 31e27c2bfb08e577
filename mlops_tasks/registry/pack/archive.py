"""The archive of a pack: one way to write it, so that every byte of a file can be checked."""

from __future__ import annotations

import io
import re
import stat
import zipfile
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import EvidencePackError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["archive_bytes", "read_archive"]

_LARGEST = 256 * 2**20
_MOST_MEMBERS = 100
# Names are plain, so that nothing lies in another folder when somebody unpacks it.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_MOMENT = (1980, 1, 1, 0, 0, 0)
_ENCRYPTED = 0x1


def archive_bytes(members: Mapping[str, bytes]) -> bytes:
    """Return the archive of some files: the same files give the same bytes, on every machine.

    A zip, its members sorted and not compressed: then it depends on no library, holds no more than
    its size says, and a reader can make it again to see whether anything was put between them.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, strict_timestamps=True) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, members[name])
    return out.getvalue()


def read_archive(path: Path) -> tuple[dict[str, bytes], bool]:
    """Return the files of an archive, and whether it is written as `archive_bytes` would.

    Nothing is unpacked to a disk, and nothing larger than the file itself is read.

    Raises
    ------
    EvidencePackError
        If the file is no such archive.
    """
    content = _content(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            _refuse_strange(path, entries)
            members = {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError) as error:
        raise EvidencePackError(
            f"{path} is no evidence pack, or was cut or damaged on its way: {error}; get it again "
            "from where it was made"
        ) from error
    return members, archive_bytes(members) == content


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size <= _LARGEST:
            with path.open("rb") as file:
                content = file.read(_LARGEST + 1)  # a device or a pipe says nothing of its size
            size = max(size, len(content))
    except OSError as error:
        raise EvidencePackError(f"{path} cannot be read: {error.strerror}") from error
    if size > _LARGEST:
        raise EvidencePackError(
            f"{path} has {size:,} bytes or more, and no evidence pack has more than {_LARGEST:,}"
        )
    return content


def _refuse_strange(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Refuse what a pack never has, before anything of it is read."""
    names = [entry.filename for entry in entries]
    if len(names) > _MOST_MEMBERS:
        raise EvidencePackError(f"{path} is no evidence pack: it has {len(names)} members")
    for entry in entries:
        if why := _strange(entry, names):
            raise EvidencePackError(
                f"{path} is no evidence pack: its member {entry.filename[:100]!r} {why}; it was "
                "not read. Do not unpack it"
            )


def _strange(entry: zipfile.ZipInfo, names: list[str]) -> str:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if not _NAME.fullmatch(entry.filename):
        return "has a name that leads to another folder, or is none of a pack"
    if names.count(entry.filename) > 1:
        return "is there twice"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if kind not in (0, stat.S_IFREG):
        return "is no ordinary file"
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        return "is compressed, which no member of a pack is"
    return ""
