from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.profile_store import ProfileStore, pack_days, unpack_days
from mlops_tasks.profiles import Profile
from tests.unit.orders import day

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake


def publish(lake: Lake, number: int, values: list[float], *, token: int = 1) -> None:
    rows = pa.table({"x": values})
    published = lake.overwrite_partition("t", day(number), rows, token=token)
    ProfileStore(lake).write(published, Profile.of(rows.to_batches(), rows.schema))


def files(lake: Lake) -> list[Path]:
    return sorted((lake.root / "_profiles").rglob("*.profile"))


def means(lake: Lake, first: int, last: int) -> dict[str, float]:
    found = ProfileStore(lake).read("t", first=day(first), last=day(last))
    return {key: profile.columns["x"].mean for key, profile in found.items()}


def test_a_window_is_read_from_the_profiles_of_its_days(lake: Lake) -> None:
    for number in (3, 1, 2):
        publish(lake, number, [float(number), float(number)])
    assert means(lake, 2, 5) == {day(2): 2.0, day(3): 3.0}


def test_only_what_is_published_now_counts(lake: Lake) -> None:
    publish(lake, 1, [1.0], token=1)
    publish(lake, 1, [5.0], token=2)
    assert means(lake, 1, 1) == {day(1): 5.0}
    assert len(files(lake)) == 1, "older versions are let go"


def test_a_day_without_a_profile_is_left_out(lake: Lake) -> None:
    publish(lake, 1, [1.0])
    lake.overwrite_partition("t", day(2), pa.table({"x": [2.0]}), token=1)
    assert list(means(lake, 1, 2)) == [day(1)]
    assert ProfileStore(lake).read("never", first=day(1), last=day(2)) == {}


def test_a_damaged_profile_is_an_error(lake: Lake) -> None:
    publish(lake, 1, [1.0])
    (path,) = files(lake)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DamagedTableError):
        means(lake, 1, 1)


def test_days_travel_in_one_file() -> None:
    rows = pa.table({"x": [1.0, 2.0]})
    profile = Profile.of(rows.to_batches(), rows.schema)
    packed = pack_days({day(2): profile, day(1): profile})
    assert packed == pack_days({day(2): profile, day(1): profile})
    assert list(unpack_days(packed)) == [day(2), day(1)]
    assert unpack_days(packed)[day(1)].columns["x"].mean == 1.5
    with pytest.raises(DamagedTableError, match="cannot be read"):
        unpack_days(packed[:40])
