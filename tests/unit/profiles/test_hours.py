"""Windows of hours: whole days are read from one profile each, with what the hours alone give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.lake import Lake, overwrite_partition
from mlops_tasks.partitions import DAY, HOUR, Partition
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.store import ProfiledDays, ProfiledWindow, ProfileStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ZONE = "Europe/Berlin"
#: 120 rows an hour are 2,880 a day: more than a merge keeps points of.
ROWS = 120
#: From Friday to Tuesday, clocks put forward on Sunday: days of 24, 24, 23, 24 and 24 hours.
FIRST, LAST = "2024-03-28T23", "2024-04-02T21"
PROMOTED = "2024-04-01T08"


def publish(lake: Lake, key: str, *, token: int = 1, version: str | None = None) -> None:
    random = np.random.default_rng(HOUR.between("2024-01-01T00", key) + token)
    version = version or ("1" if key < PROMOTED else "2")
    rows = pa.table({"x": random.normal(size=ROWS), "version": [version] * ROWS})
    published = overwrite_partition(lake.table("t"), key, rows, token=token)
    ProfileStore(lake).write(published, Profile.of(rows.to_batches(), rows.schema))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    found = Lake(tmp_path_factory.mktemp("hours"))
    for key in HOUR.range(FIRST, LAST):
        publish(found, key)
    return found


def read(lake: Lake, first: str = FIRST, last: str = LAST) -> ProfiledDays:
    store = ProfileStore(lake)
    return store.read_days("t", HOUR, ZONE, first=first, last=last, apart="version")


def shape(found: ProfiledDays) -> list[tuple[str, int]]:
    return [(day, one.n_rows // ROWS) for part in found.parts for day, one in part.items()]


def content(profile: Profile) -> list[object]:
    arrays = (profile.numbers.counts, profile.numbers.moments, profile.numbers.points)
    return [*(one.tolist() for one in arrays), dict(profile.columns["version"].counts)]


def hours_of(lake: Lake, keys: Sequence[str]) -> Profile:
    return Profile.merged(ProfileStore(lake).read("t", first=keys[0], last=keys[-1]).values())


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the profiles that are read."""
    found, real = [0], Profile.from_bytes.__func__  # type: ignore[attr-defined]

    def counting(cls: type[Profile], raw: bytes) -> Profile:
        found[0] += 1
        profile: Profile = real(cls, raw)
        return profile

    monkeypatch.setattr(Profile, "from_bytes", classmethod(counting))
    return found


def test_whole_days_come_as_one_with_what_their_hours_give(lake: Lake) -> None:
    for found in (read(lake), read(lake)):  # made, and from where it was kept
        assert found.covered == tuple(HOUR.range(FIRST, LAST))
        assert shape(found)[:4] == [
            ("2024-03-29", 24),
            ("2024-03-30", 24),
            ("2024-03-31", 23),
            ("2024-04-01", 1),
        ]
        for part in found.parts[:3]:
            ((day, whole),) = part.items()
            keys = Partition(day, ZONE, DAY).keys(HOUR)
            assert content(whole) == content(hours_of(lake, keys))
            assert whole.numbers.points.size == 2048


def test_hours_of_a_day_with_a_promotion_stay_apart(lake: Lake) -> None:
    found = read(lake)
    assert shape(found)[3:] == [("2024-04-01", 1)] * 24 + [("2024-04-02", 24)]
    versions = [set(part[day].columns["version"].counts) for part in found.parts for day in part]
    assert versions[3:] == [{"1"}] * 10 + [{"2"}] * 15


def test_a_week_of_hours_reads_a_profile_a_day_and_its_ends_by_the_hour(
    tmp_path: Path, counted: list[int]
) -> None:
    own = Lake(tmp_path)
    for key in HOUR.range("2024-05-01T00", "2024-05-08T23"):
        publish(own, key, version="1")
    store = ProfileStore(own)

    def reads(first: str, last: str) -> int:
        store.read_days("t", HOUR, "UTC", first=first, last=last, apart="version")
        counted[0] = 0
        store.read_days("t", HOUR, "UTC", first=first, last=last, apart="version")
        return counted[0]

    assert reads("2024-05-01T00", "2024-05-07T23") == 7
    assert reads("2024-05-01T15", "2024-05-08T14") == 6 + 24
    kept = sorted(path.parent.name for path in tmp_path.rglob("*.rollup"))
    assert kept == DAY.range("2024-05-01", "2024-05-07"), "parts of days are not kept"


def test_an_hour_published_again_is_seen(lake: Lake, tmp_path: Path) -> None:
    own = Lake(tmp_path)
    for key in HOUR.range("2024-05-01T00", "2024-05-01T23"):
        publish(own, key, version="1")
    store = ProfileStore(own)

    def day() -> Profile:
        found = store.read_days("t", HOUR, "UTC", first="2024-05-01T00", last="2024-05-01T23")
        ((whole,),) = (part.values() for part in found.parts)
        return whole

    before = day()
    publish(own, "2024-05-01T07", token=2, version="1")
    assert content(day()) == content(hours_of(own, HOUR.range("2024-05-01T00", "2024-05-01T23")))
    assert content(day()) != content(before)
    assert len(list(tmp_path.rglob("*.rollup"))) == 1, "the stale one is removed"


def test_a_reference_of_hours_reads_the_same_roll_ups(lake: Lake) -> None:
    def window() -> ProfiledWindow:
        return ProfileStore(lake).read_window(
            "t", first=FIRST, last=LAST, n_days=3, grain=HOUR, timezone=ZONE, apart="version"
        )

    read(lake)
    before = sorted((lake.root / "_profiles").rglob("*.rollup"))
    found = window()
    assert sorted((lake.root / "_profiles").rglob("*.rollup")) == before
    assert [part.n_rows // ROWS for part in found.parts] == [24, 24, 23, 24, 24]
    assert len(found.days) == 3
    assert content(found.parts[3]) == content(
        hours_of(lake, Partition("2024-04-01", ZONE).keys(HOUR))
    )
