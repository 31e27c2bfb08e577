"""The archive of a model's weights: its table of contents, before anything is unpacked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from mlops_tasks.exceptions import UnsafeModelError

if TYPE_CHECKING:
    from pathlib import Path
    from zipfile import ZipInfo

__all__ = ["check_archive"]

_SCHEMA = "schema.json"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\.(npy|npz|json|bin)")
_MOST_MEMBERS = 200_000
_MOST_UNPACKED = 4 * 2**30
# skops stores without compressing. Who compresses weights gains a little, a bomb a thousandfold.
_MOST_RATIO = 50
_ENCRYPTED = 1


def check_archive(path: Path) -> None:
    """Refuse weights whose table of contents is not that of a skops file."""
    try:
        with ZipFile(path) as archive:
            members = archive.infolist()
    except Exception as error:  # whatever is made of a file that is no archive
        raise UnsafeModelError(
            f"{path.name} is no skops file: {error!r}; "
            "log the model with mlops_tasks.registry.tracking, which saves plain skops files"
        ) from error
    if wrong := _wrong(members, path.stat().st_size):
        raise UnsafeModelError(f"{path.name} is no plain skops file: {wrong[:300]}")


def _wrong(members: list[ZipInfo], size: int) -> str:
    names = [member.filename for member in members]
    if len(names) > _MOST_MEMBERS:
        return f"it has {len(names)} members"
    if len(set(names)) < len(names):
        return "it has two members of the same name"
    if _SCHEMA not in names:
        return f"it has no {_SCHEMA}"
    for member in members:
        if not _NAME.fullmatch(member.filename):
            return f"member {member.filename!r} has a name that skops never gives"
        if member.compress_type not in {ZIP_STORED, ZIP_DEFLATED} or member.flag_bits & _ENCRYPTED:
            return f"member {member.filename!r} is packed in a way that skops never uses"
    if sum(member.compress_size for member in members) > size:
        return "its members overlap"
    unpacked = sum(member.file_size for member in members)
    if unpacked > min(_MOST_UNPACKED, _MOST_RATIO * size):
        return f"its {size} bytes would become {unpacked}"
    return ""
