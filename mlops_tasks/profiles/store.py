"""The store of profiles: beside the partitions they are of, with roll-ups of months and weeks."""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from dataclasses import dataclass
from os.path import isfile
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import DamagedTableError, PartitionNotFoundError
from mlops_tasks.partitions import DAY, HOUR, Partition, spans
from mlops_tasks.profiles.archive import pack_days, read_days, unpack_days
from mlops_tasks.profiles.by_day import merged_days
from mlops_tasks.profiles.file_format import FORMAT_VERSION
from mlops_tasks.profiles.profile import Profile
from mlops_tasks.profiles.sampling import evenly
from mlops_tasks.storage import remove, replace_file

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mlops_tasks.lake import Lake, PartitionVersion
    from mlops_tasks.partitions import Grain

__all__ = ["ProfileStore", "ProfiledWindow", "roll_up"]

_FOLDER = "_profiles"
_WHOLE = "whole"
# Beside the profile of a week or a month, those of its days.
_DAYS = ".days"
# Points of a column inside a roll-up: rank errors of 1/512 of the merge and 1/128 of a day more.
_WHOLE_POINTS, _THIN_POINTS = 256, 64
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class ProfiledWindow:
    """Some days, as profiles.

    Attributes
    ----------
    covered : tuple of str
        All days of the window that have a profile.
    parts : tuple of Profile
        Of months, weeks and days. Together they are the window.
    days : tuple of Profile
        Some of its days, one by one, in order. Those from a roll-up have fewer points.
    """

    covered: tuple[str, ...]
    parts: tuple[Profile, ...]
    days: tuple[Profile, ...]


class ProfileStore:
    """Profiles of published partitions, one file each: ``_profiles/<table>/<day>/<version>``.

    Beside them lie roll-ups, ``_profiles/<table>/<month or week>/<key>``: a merge of its days, and
    each of them with fewer points. The first reader of a window that they are part of makes them.
    The key names the versions that were merged, so one of other content is never found; to remove
    one, or all, costs the next reader some time and nothing else.

    Parameters
    ----------
    lake : Lake
        The tables; profiles lie beside them.
    """

    def __init__(self, lake: Lake) -> None:
        self.lake = lake

    def write(
        self,
        published: PartitionVersion,
        profile: Profile,
        days: Mapping[str, Profile] | None = None,
    ) -> None:
        """Keep the profile of what was just published; that of older versions is let go.

        Parameters
        ----------
        published : PartitionVersion
            The partition, at its version.
        profile : Profile
            Of its rows.
        days : mapping of str to Profile, optional
            Of a partition longer than a day, those of its days, for `read_days`.
        """
        path = self._path(published.table, published.partition, published.version)
        if days and len(days) > 1:
            replace_file(path.with_suffix(_DAYS), pack_days(days))
        replace_file(path, profile.to_bytes())
        for other in path.parent.iterdir():
            if other.suffix in (path.suffix, _DAYS) and int(other.stem) < published.version:
                remove(other)

    def read_days(
        self,
        table: str,
        grain: Grain,
        timezone: str,
        *,
        first: str,
        last: str,
        categorical: Collection[str] = (),
    ) -> dict[str, dict[str, Profile]]:
        """Return the profiles of the days in some partitions, as published now.

        Parameters
        ----------
        table : str
            The table.
        grain : Grain
            What its partitions are.
        timezone : str
            Name of the zone that its days begin in.
        first, last : str
            Partition keys, both inclusive.
        categorical : collection of str, optional
            Columns that are read as categories, also where they were profiled as numbers.

        Returns
        -------
        dict of str to dict of str to Profile
            By partition, in order, then by day. An hour has its part of a day. A week or a month of
            which only the whole was profiled counts as one day.

        Raises
        ------
        DamagedTableError
            If a file is no profile.
        """
        found = {}
        for key, path in self._profiled(table, first, last).items():
            packed = path.with_suffix(_DAYS)
            if isfile(packed):
                days = unpack_days(packed.read_bytes())
            else:
                day = DAY.key_of(Partition(key, timezone, grain).start, timezone)
                days = {day: Profile.from_bytes(path.read_bytes())}
            found[key] = {day: profile.declared(categorical) for day, profile in days.items()}
        return found

    def read(
        self, table: str, *, first: str, last: str, categorical: Collection[str] = ()
    ) -> dict[str, Profile]:
        """Return the profiles of some days, as published now; no row is read.

        Parameters
        ----------
        table : str
            The table.
        first, last : str
            Days, both inclusive.
        categorical : collection of str, optional
            Columns that are read as categories, also where they were profiled as numbers.

        Returns
        -------
        dict of str to Profile
            By day, in order. Days that were not published, or never profiled, are left out.

        Raises
        ------
        DamagedTableError
            If a file is no profile.
        """
        return _read(self._profiled(table, first, last), categorical)

    def read_window(
        self,
        table: str,
        *,
        first: str,
        last: str,
        n_days: int,
        categorical: Collection[str] = (),
        grain: Grain = DAY,
        timezone: str = "UTC",
    ) -> ProfiledWindow:
        """Return the profiles of a window, from roll-ups of whole months and weeks where it can.

        Parameters
        ----------
        table : str
            The table.
        first, last : str
            Days, both inclusive.
        n_days : int
            Days wanted one by one, at most; of more, these are taken evenly.
        categorical : collection of str, optional
            Columns that are read as categories, also where they were profiled as numbers.
        grain : Grain, default DAY
            What the partitions are; hours are rolled up into days.
        timezone : str, default "UTC"
            Name of the zone that days begin in.

        Returns
        -------
        ProfiledWindow
            As published now. Days that were not published, or never profiled, are left out.

        Raises
        ------
        DamagedTableError
            If the file of a day is no profile; a roll-up that is none is made again.
        """
        paths = self._profiled(table, first, last)
        if grain.period > DAY.period:
            found = self.read_days(
                table, grain, timezone, first=first, last=last, categorical=categorical
            )
            every = tuple(merged_days(found.values()).values())
            return ProfiledWindow(tuple(paths), every, evenly(every, n_days))
        wanted = set() if grain is HOUR else set(evenly(list(paths), n_days))
        parts: list[Profile] = []
        days: list[Profile] = []
        for period in spans(grain, first, last, timezone):
            own = {day: path for day, path in paths.items() if period.first <= day <= period.last}
            if len(own) > 1:
                some = wanted & own.keys()
                whole, single = self._rolled_up(table, period.name, own, some, categorical)
                parts.append(whole)
            else:
                single = _read(own, categorical)
                parts.extend(single.values())
            days.extend(profile for day, profile in single.items() if day in wanted)
        if grain is HOUR:
            days = list(evenly(parts, n_days))
        return ProfiledWindow(tuple(paths), tuple(parts), tuple(days))

    def _profiled(self, table: str, first: str, last: str) -> dict[str, Path]:
        """Return where the profile of each day lies that has one, in order."""
        try:
            commits = self.lake.table(table).commits(first=first, last=last)
        except PartitionNotFoundError:  # there is no such table yet
            return {}
        paths = {c.partition: self._path(table, c.partition, c.version) for c in commits}
        return {day: path for day, path in paths.items() if isfile(path)}

    def _rolled_up(
        self,
        table: str,
        period: str,
        paths: Mapping[str, Path],
        wanted: Collection[str],
        categorical: Collection[str],
    ) -> tuple[Profile, dict[str, Profile]]:
        """Return the merge of some days, and those wanted of them; keep a new merge."""
        path = self.lake.root / _FOLDER / table / period / f"{_key(paths, categorical)}.rollup"
        try:
            with path.open("rb") as file:
                made = read_days(file, [_WHOLE, *sorted(wanted)])
        except (FileNotFoundError, DamagedTableError) as error:
            if path.exists():
                _log.warning("%s is made again: %s", path, error)
            made = roll_up(_read(paths, categorical))
            _keep(path, pack_days(made))
        return made.pop(_WHOLE), made

    def _path(self, table: str, day: str, version: int) -> Path:
        return Path(f"{self.lake.root}/{_FOLDER}/{table}/{day}/{version}.profile")


def _read(paths: Mapping[str, Path], categorical: Collection[str]) -> dict[str, Profile]:
    profiles = {day: Profile.from_bytes(path.read_bytes()) for day, path in paths.items()}
    return {day: profile.declared(categorical) for day, profile in profiles.items()}


def _keep(path: Path, packed: bytes) -> None:
    """Write a roll-up, and remove those of other content."""
    with suppress(OSError):  # a full or read-only disk: the next reader does it
        replace_file(path, packed)
        for other in path.parent.glob(f"*{path.suffix}"):
            if other != path:
                remove(other)


def _key(paths: Mapping[str, Path], categorical: Collection[str]) -> str:
    """Name the days and versions that are merged, and how."""
    versions = [f"{day} {path.stem}" for day, path in paths.items()]
    how = f"{FORMAT_VERSION} {_WHOLE_POINTS} {_THIN_POINTS} {sorted(categorical)}"
    return hashlib.sha256("\n".join([how, *versions]).encode()).hexdigest()[:32]


def roll_up(days: Mapping[str, Profile]) -> dict[str, Profile]:
    """Merge days as ``whole``, with at most 256 points a column, and thin each to at most 64.

    Half a point is added to the rank errors: 1/512, and 1/128 of a day. Nothing else of them is
    less than it was.
    """
    whole = Profile.merged(days.values(), n_points=_WHOLE_POINTS)
    return {_WHOLE: whole} | {day: profile.thinned(_THIN_POINTS) for day, profile in days.items()}
