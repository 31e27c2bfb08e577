"""Profiles of several days in one file."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.profiles.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import IO

__all__ = ["pack_days", "read_days", "unpack_days"]

# The same days give the same bytes: an archive otherwise says when it was made.
_TIMELESS = (1980, 1, 1, 0, 0, 0)


def pack_days(days: Mapping[str, Profile]) -> bytes:
    """Put the profiles of several days into one file, for `unpack_days`."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for day, profile in days.items():
            archive.writestr(zipfile.ZipInfo(day, _TIMELESS), profile.to_bytes())
    return packed.getvalue()


def unpack_days(packed: bytes) -> dict[str, Profile]:
    """Return the profiles of `pack_days` by day, in the same order."""
    return read_days(io.BytesIO(packed))


def read_days(file: IO[bytes], names: Collection[str] | None = None) -> dict[str, Profile]:
    """Return the profiles of some days of an open file, by default of all."""
    try:
        with zipfile.ZipFile(file) as archive:
            stored = {name: archive.read(name) for name in names or archive.namelist()}
    # What the library raises, depending on which bytes are not as they were.
    except (zipfile.BadZipFile, struct.error, LookupError, ValueError, RuntimeError) as error:
        raise DamagedTableError(f"the profiles of some days cannot be read: {error}") from error
    return {name: Profile.from_bytes(raw) for name, raw in stored.items()}
