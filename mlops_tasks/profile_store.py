"""Where profiles are kept: beside the partition they are of, or many days of them in one file."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

from mlops_tasks.atomic_files import replace_file
from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.profiles import Profile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.types import PartitionVersion

__all__ = ["ProfileStore", "pack_days", "unpack_days"]

_FOLDER = "_profiles"
# The same days give the same bytes: an archive otherwise tells when it was made.
_TIMELESS = (1980, 1, 1, 0, 0, 0)


class ProfileStore:
    """Profiles of published partitions, one file each: ``_profiles/<table>/<day>/<version>``.

    Parameters
    ----------
    lake : Lake
        The tables; profiles lie beside them.
    """

    def __init__(self, lake: Lake) -> None:
        self.lake = lake

    def write(self, published: PartitionVersion, profile: Profile) -> None:
        """Keep the profile of what was just published; that of older versions is let go.

        Parameters
        ----------
        published : PartitionVersion
            The partition, at its version.
        profile : Profile
            Of its rows.
        """
        path = self._path(published.table, published.partition, published.version)
        replace_file(path, profile.to_bytes())
        for other in path.parent.iterdir():
            if other.suffix == path.suffix and int(other.stem) < published.version:
                other.unlink(missing_ok=True)

    def read(self, table: str, *, first: str, last: str) -> dict[str, Profile]:
        """Return the profiles of some days, as published now; no row is read.

        Parameters
        ----------
        table : str
            The table.
        first, last : str
            Days, both inclusive.

        Returns
        -------
        dict of str to Profile
            By day, in order. Days that were not published, or never profiled, are left out.

        Raises
        ------
        DamagedTableError
            If a file is no profile.
        """
        if not self.lake.exists(table):
            return {}
        paths = {
            commit.partition: self._path(table, commit.partition, commit.version)
            for commit in self.lake.commits(table, first=first, last=last)
        }
        stored = {day: path.read_bytes() for day, path in sorted(paths.items()) if path.is_file()}
        return dict(zip(stored, Profile.all_from_bytes(stored.values()), strict=True))

    def _path(self, table: str, day: str, version: int) -> Path:
        return self.lake.root / _FOLDER / table / day / f"{version}.profile"


def pack_days(days: Mapping[str, Profile]) -> bytes:
    """Put the profiles of several days into one file.

    Parameters
    ----------
    days : mapping of str to Profile
        By day.

    Returns
    -------
    bytes
        For `unpack_days`.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for day, profile in days.items():
            archive.writestr(zipfile.ZipInfo(day, _TIMELESS), profile.to_bytes())
    return packed.getvalue()


def unpack_days(packed: bytes) -> dict[str, Profile]:
    """Return the profiles of `pack_days`, by day.

    Parameters
    ----------
    packed : bytes
        The file.

    Returns
    -------
    dict of str to Profile
        In the order they were packed in.

    Raises
    ------
    DamagedTableError
        If it is no such file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            stored = {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile as error:
        raise DamagedTableError(f"the profiles of a run cannot be read: {error}") from error
    return dict(zip(stored, Profile.all_from_bytes(stored.values()), strict=True))
