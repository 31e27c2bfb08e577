from __future__ import annotations

import shutil
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.lake import Lake, overwrite_partition
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.store import ProfiledWindow, ProfileStore
from tests.unit.orders import day

if TYPE_CHECKING:
    from pathlib import Path


def publish(lake: Lake, number: int, values: list[float], *, token: int = 1) -> None:
    rows = pa.table({"x": values})
    published = overwrite_partition(lake.table("t"), day(number), rows, token=token)
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
    overwrite_partition(lake.table("t"), day(2), pa.table({"x": [2.0]}), token=1)
    assert list(means(lake, 1, 2)) == [day(1)]
    assert ProfileStore(lake).read("never", first=day(1), last=day(2)) == {}


def test_a_damaged_profile_is_an_error(lake: Lake) -> None:
    publish(lake, 1, [1.0])
    (path,) = files(lake)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DamagedTableError):
        means(lake, 1, 1)


GONE = {7, 8, 11, 13, 16, 19, 22, 23, 25, 28}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """April and half of May 2013, but some days; each day is about its own number."""
    lake = Lake(tmp_path_factory.mktemp("spring"))
    for number in set(range(45)) - GONE:
        publish_april(lake, number)
    return lake


@pytest.fixture
def spring(published: Lake, tmp_path: Path) -> Lake:
    return Lake(shutil.copytree(published.root, tmp_path / "spring"))


def publish_april(lake: Lake, number: int, *, token: int = 1, value: float | None = None) -> None:
    values = np.random.default_rng(number).normal(number if value is None else value, 1, 300)
    rows = pa.table({"x": values, "kind": ["a", "b", f"c{number % 3}"] * 100})
    published = overwrite_partition(lake.table("t"), april(number), rows, token=token)
    ProfileStore(lake).write(published, Profile.of(rows.to_batches(), rows.schema))


def april(number: int) -> str:
    return (date(2013, 4, 1) + timedelta(days=number)).isoformat()


def window(lake: Lake, first: int = 0, last: int = 44, n_days: int = 60) -> ProfiledWindow:
    return ProfileStore(lake).read_window("t", first=april(first), last=april(last), n_days=n_days)


def roll_ups(lake: Lake) -> list[Path]:
    return sorted((lake.root / "_profiles").rglob("*.rollup"))


def mean(found: ProfiledWindow) -> float:
    return float(Profile.merged(found.parts).columns["x"].mean)


def test_a_window_is_read_from_months_weeks_and_days(spring: Lake) -> None:
    made, kept = window(spring), window(spring)
    # Half of May: five days, a week, and two days of the next.
    assert [path.parent.name for path in roll_ups(spring)] == ["2013-04", "2013-W19"]
    days = ProfileStore(spring).read("t", first=april(0), last=april(44))
    whole = Profile.merged(days.values()).columns["x"]
    for found in (made, kept):
        assert found.covered == tuple(days)
        assert [part.n_rows // 300 for part in found.parts] == [20, 1, 1, 1, 1, 1, 7, 1, 1, 1]
        assert [one.n_rows for one in found.days] == [300] * 35
        merged = Profile.merged(found.parts).columns["x"]
        assert merged.mean == pytest.approx(whole.mean)
        at = np.linspace(whole.minimum, whole.maximum, 200)
        assert np.abs(merged.cdf(at) - whole.cdf(at)).max() <= merged.rank_error + whole.rank_error
        assert merged.rank_error < 0.003
        for thin, one in zip(found.days, days.values(), strict=True):
            full = one.columns["x"]
            assert thin.columns["x"].mean == full.mean
            assert thin.columns["kind"].counts == one.columns["kind"].counts
            error = np.abs(thin.columns["x"].cdf(at) - full.cdf(at)).max()
            assert error <= thin.columns["x"].rank_error <= 1 / 128


def test_single_days_are_few_and_even(spring: Lake) -> None:
    found = window(spring, n_days=5)
    means = [one.columns["x"].mean for one in found.days]
    assert means == pytest.approx([0, 10, 24, 34, 42], abs=0.3)
    assert len(found.covered) == 35


def test_a_day_published_again_makes_its_roll_up_stale_and_never_wrong(spring: Lake) -> None:
    before, (old, week) = mean(window(spring)), roll_ups(spring)
    publish_april(spring, 3, token=2, value=3 + 35 * 100)
    assert mean(window(spring)) == pytest.approx(before + 100, abs=0.1)
    new, same = roll_ups(spring)
    assert (new.parent, same) == (old.parent, week)
    assert new != old, "the stale one is removed"


def test_a_day_that_comes_late_is_merged(spring: Lake) -> None:
    before = window(spring)
    publish_april(spring, 7)
    after = window(spring)
    assert len(after.covered) == len(before.covered) + 1
    assert after.parts[0].n_rows == before.parts[0].n_rows + 300


def test_roll_ups_may_be_removed_at_any_time(spring: Lake) -> None:
    before = window(spring)
    shutil.rmtree(roll_ups(spring)[0].parent)
    assert mean(window(spring)) == mean(before)
    assert len(roll_ups(spring)) == 2


def test_a_damaged_roll_up_is_made_again(spring: Lake, caplog: pytest.LogCaptureFixture) -> None:
    before, path = mean(window(spring)), roll_ups(spring)[0]
    whole = path.read_bytes()
    random = np.random.default_rng(1)
    cuts = [whole[: int(n)] for n in random.integers(0, len(whole), 4)]
    end = len(whole) - 2500  # the archive's own index
    places = [*range(0, 40, 7), *random.integers(end, len(whole), 16).tolist()]
    flips = [whole[:i] + bytes([whole[i] ^ 255]) + whole[i + 1 :] for i in places]
    for wrong in [b"", *cuts, *flips]:
        path.write_bytes(wrong)
        assert mean(window(spring)) == before
    path.write_bytes(cuts[0])
    caplog.clear()
    window(spring)
    assert "is made again" in caplog.text
    assert path.read_bytes() == whole


def test_a_roll_up_that_cannot_be_kept_does_no_harm(
    spring: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    expected = mean(window(spring))
    for path in roll_ups(spring):
        path.unlink()
    monkeypatch.setattr("mlops_tasks.profiles.store.replace_file", full)
    assert mean(window(spring)) == expected
    assert roll_ups(spring) == []


def test_an_empty_window_has_no_parts(lake: Lake) -> None:
    found = ProfileStore(lake).read_window("t", first=april(0), last=april(40), n_days=60)
    assert (found.covered, found.parts, found.days) == ((), (), ())


def test_a_damaged_day_is_an_error_of_its_window_too(spring: Lake) -> None:
    path = files(spring)[0]
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DamagedTableError):
        window(spring)
