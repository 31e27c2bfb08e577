"""The store of profiles: beside the partitions they are of, with roll-ups of longer spans."""

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
    from collections.abc import Collection, Iterator, Mapping

    from mlops_tasks.lake import Lake, PartitionVersion
    from mlops_tasks.partitions import Grain, Span

__all__ = ["ProfileStore", "ProfiledDays", "ProfiledWindow", "roll_up"]

_FOLDER = "_profiles"
_WHOLE = "whole"
# Beside the profile of a week or a month, those of its days.
_DAYS = ".days"
# Points of a column inside a roll-up: rank errors of 1/512 of the merge and 1/128 of a day more.
_WHOLE_POINTS, _THIN_POINTS = 256, 64
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class ProfiledDays:
    """Some partitions, as profiles of the days that they lie in.

    Attributes
    ----------
    covered : tuple of str
        All partitions of the window that have a profile.
    parts : tuple of mapping of str to Profile
        By day, of each partition; hours that make a whole day may come as one.
    """

    covered: tuple[str, ...]
    parts: tuple[Mapping[str, Profile], ...]


@dataclass(frozen=True, slots=True, eq=False)
class ProfiledWindow:
    """Some days, as profiles.

    Attributes
    ----------
    covered : tuple of str
        All days of the window that have a profile.
    parts : tuple of Profile
        Of months, weeks and days, of hours of days alone. Together they are the window.
    days : tuple of Profile
        Some of its days, one by one, in order. Those from a roll-up have fewer points.
    """

    covered: tuple[str, ...]
    parts: tuple[Profile, ...]
    days: tuple[Profile, ...]


class ProfileStore:
    """Profiles of published partitions, one file each: ``_profiles/<table>/<day>/<version>``.

    Beside them lie roll-ups, ``_profiles/<table>/<month, week or day>/<key>``: of days, their merge
    and each of them with fewer points; of hours, the merge of a whole day, as exact as of the hours
    one by one. The first reader of a window that they are part of makes them. The key names the
    versions that were merged, so one of other content is never found; to remove one, or all, costs
    the next reader some time and nothing else.

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

    def copy(self, table: str, published: PartitionVersion) -> None:
        """Keep the profile of a partition of another table as that of a copy of its rows.

        Parameters
        ----------
        table : str
            Where the rows were published first.
        published : PartitionVersion
            The copy, at its version.
        """
        key = published.partition
        (commit,) = self.lake.table(table).commits(first=key, last=key)
        path = self._path(table, key, commit.version)
        packed = path.with_suffix(_DAYS)
        days = unpack_days(packed.read_bytes()) if isfile(packed) else None
        self.write(published, Profile.from_bytes(path.read_bytes()), days)

    def read_days(
        self,
        table: str,
        grain: Grain,
        timezone: str,
        *,
        first: str,
        last: str,
        categorical: Collection[str] = (),
        apart: str | None = None,
    ) -> ProfiledDays:
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
        apart : str, optional
            Column of categories, such as the model's version: hours of one day that differ in its
            values are not merged.

        Returns
        -------
        ProfiledDays
            In order. An hour has its part of a day; the hours of a whole day are read as one, from
            their roll-up. A week or a month of which only the whole was profiled counts as one day.

        Raises
        ------
        DamagedTableError
            If a file is no profile.
        """
        paths = self._profiled(table, first, last)
        if grain is HOUR:
            spanned = self._days_of_hours(
                table, paths, spans(grain, first, last, timezone), categorical, apart
            )
            parts = [{day: one} for day, profiles in spanned for one in profiles]
            return ProfiledDays(tuple(paths), tuple(parts))
        found = []
        for key, path in paths.items():
            packed = path.with_suffix(_DAYS)
            if isfile(packed):
                days = unpack_days(packed.read_bytes())
            else:
                day = DAY.key_of(Partition(key, timezone, grain).start, timezone)
                days = {day: Profile.from_bytes(path.read_bytes())}
            found.append({day: profile.declared(categorical) for day, profile in days.items()})
        return ProfiledDays(tuple(paths), tuple(found))

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
        apart: str | None = None,
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
        apart : str, optional
            As for `read_days`, whose roll-ups of hours these are.

        Returns
        -------
        ProfiledWindow
            As published now. Days that were not published, or never profiled, are left out.

        Raises
        ------
        DamagedTableError
            If the file of a day is no profile; a roll-up that is none is made again.
        """
        if grain is not DAY:
            found = self.read_days(
                table, grain, timezone, first=first, last=last, categorical=categorical, apart=apart
            )
            every = tuple(merged_days(found.parts).values())
            return ProfiledWindow(found.covered, every, evenly(every, n_days))
        paths = self._profiled(table, first, last)
        wanted = set(evenly(list(paths), n_days))
        parts: list[Profile] = []
        days: list[Profile] = []
        for period in spans(grain, first, last, timezone):
            own = _within(paths, period)
            if len(own) > 1:
                some = wanted & own.keys()
                whole, single = self._rolled_up(table, period.name, own, some, categorical)
                parts.append(whole)
            else:
                single = _read(own, categorical)
                parts.extend(single.values())
            days.extend(profile for day, profile in single.items() if day in wanted)
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
        path = self._roll_up_path(table, period, _key(paths, categorical))
        made = _kept(path, [_WHOLE, *sorted(wanted)])
        if made is None:
            made = roll_up(_read(paths, categorical))
            _keep(path, made)
        return made[_WHOLE], {day: made[day] for day in sorted(wanted)}

    def _days_of_hours(
        self,
        table: str,
        paths: Mapping[str, Path],
        days: Collection[Span],
        categorical: Collection[str],
        apart: str | None,
    ) -> Iterator[tuple[str, Collection[Profile]]]:
        """Yield the profiles of each day: one of a whole day, unless its hours are kept apart.

        Parts of a day, at the ends of a window, are another part an hour later: they are read hour
        by hour and not kept.
        """
        for day in days:
            own = _within(paths, day)
            if day.is_whole and len(own) > 1:
                yield day.name, self._whole_day(table, day.name, own, categorical, apart)
            elif own:
                yield day.name, _read(own, categorical).values()

    def _whole_day(
        self,
        table: str,
        day: str,
        paths: Mapping[str, Path],
        categorical: Collection[str],
        apart: str | None,
    ) -> Collection[Profile]:
        """Return the merge of the hours of a day, with all points; or the hours, kept apart."""
        path = self._roll_up_path(table, day, _key(paths, categorical, f"hours {apart}"))
        if made := _kept(path, [_WHOLE]):
            return made.values()
        hours = _read(paths, categorical).values()
        if apart is not None and len(_values(hours, apart)) > 1:
            return hours
        whole = Profile.merged(hours)
        _keep(path, {_WHOLE: whole})
        return [whole]

    def _roll_up_path(self, table: str, period: str, key: str) -> Path:
        return self.lake.root / _FOLDER / table / period / f"{key}.rollup"

    def _path(self, table: str, day: str, version: int) -> Path:
        return Path(f"{self.lake.root}/{_FOLDER}/{table}/{day}/{version}.profile")


def _read(paths: Mapping[str, Path], categorical: Collection[str]) -> dict[str, Profile]:
    profiles = {day: Profile.from_bytes(path.read_bytes()) for day, path in paths.items()}
    return {day: profile.declared(categorical) for day, profile in profiles.items()}


def _within(paths: Mapping[str, Path], span: Span) -> dict[str, Path]:
    return {key: path for key, path in paths.items() if span.first <= key <= span.last}


def _kept(path: Path, names: Collection[str]) -> dict[str, Profile] | None:
    """Return what a roll-up has of these names; None where there is none that can be read."""
    try:
        with path.open("rb") as file:
            return read_days(file, names)
    except (FileNotFoundError, DamagedTableError) as error:
        if path.exists():
            _log.warning("%s is made again: %s", path, error)
    return None


def _keep(path: Path, made: Mapping[str, Profile]) -> None:
    """Write a roll-up, and remove those of other content."""
    with suppress(OSError):  # a full or read-only disk: the next reader does it
        replace_file(path, pack_days(made))
        for other in path.parent.glob(f"*{path.suffix}"):
            if other != path:
                remove(other)


def _key(paths: Mapping[str, Path], categorical: Collection[str], kind: str = "") -> str:
    """Name the partitions and versions that are merged, and how."""
    versions = [f"{key} {path.stem}" for key, path in paths.items()]
    how = f"{FORMAT_VERSION} {_WHOLE_POINTS} {_THIN_POINTS} {sorted(categorical)}{kind}"
    return hashlib.sha256("\n".join([how, *versions]).encode()).hexdigest()[:32]


def _values(profiles: Collection[Profile], column: str) -> set[frozenset[str]]:
    """Return which values a column of categories has in each profile that has rows."""
    return {frozenset(one.columns[column].counts) for one in profiles if one.n_rows}  # type: ignore[union-attr]


def roll_up(days: Mapping[str, Profile]) -> dict[str, Profile]:
    """Merge days as ``whole``, with at most 256 points a column, and thin each to at most 64.

    Half a point is added to the rank errors: 1/512, and 1/128 of a day. Nothing else of them is
    less than it was.
    """
    whole = Profile.merged(days.values(), n_points=_WHOLE_POINTS)
    return {_WHOLE: whole} | {day: profile.thinned(_THIN_POINTS) for day, profile in days.items()}
