"""What version 0.1 has stored is read: the profile of a day, and an archive of days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from mlops_tasks.drift import Baseline, detect_drift
from mlops_tasks.lake import overwrite_partition
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.archive import unpack_days
from mlops_tasks.profiles.store import ProfileStore

if TYPE_CHECKING:
    from mlops_tasks.lake import Lake

STORED = Path(__file__).with_name("stored")
DAYS = ("2024-01-01", "2024-01-02")


def rows_of(day: str) -> pa.Table:
    """Make the rows of which version 0.1 has stored the profile."""
    n, first = 1500, datetime.fromisoformat(day).replace(tzinfo=UTC)
    odd = [None, float("nan"), float("inf"), float("-inf")]
    real = [odd[i] if i < 4 else (i * 37 % 1009 + first.day) / 8 for i in range(n)]
    whole = [2**62 + 1 if not i else i * i % 97 for i in range(n)]
    price = [Decimal(i % 500).scaleb(-2) for i in range(n)]
    moment = [first + timedelta(seconds=i) for i in range(n)]
    return pa.table(
        {
            "real": pa.array(real, pa.float64()),
            "whole": pa.array(whole, pa.int64()),
            "code": pa.array([i % 3 for i in range(n)], pa.int8()),
            "price": pa.array(price, pa.decimal128(12, 2)),
            "moment": pa.array(moment, pa.timestamp("us", "UTC")),
            "never": pa.array([None] * n, pa.timestamp("us")),
            "text": pa.array([f"{i // 2}" if i > 200 else "often" for i in range(n)]),
            "many": pa.array([f"{i}" if i % 10 else "often" for i in range(n)]),
            "flag": pa.array([None if not i % 11 else i % 2 == 0 for i in range(n)]),
        }
    )


def profile(day: str) -> Profile:
    rows = rows_of(day)
    return Profile.of(rows.to_batches(), rows.schema)


@pytest.fixture
def old() -> Profile:
    return Profile.from_bytes((STORED / "format_1.profile").read_bytes())


def test_a_profile_holds_what_one_of_today_holds(old: Profile) -> None:
    assert old.to_bytes() == profile(DAYS[0]).to_bytes()
    columns: Any = old.columns
    assert (columns["real"].n_nan, columns["real"].n_pos_inf, columns["real"].n_neg_inf) == (
        1,
        1,
        1,
    )
    assert columns["moment"].minimum == datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1e6
    assert (columns["many"].is_exact, columns["text"].is_exact) == (False, True)


def test_an_archive_holds_what_one_of_today_holds() -> None:
    found = unpack_days((STORED / "format_1.zip").read_bytes())
    assert [one.to_bytes() for one in found.values()] == [profile(day).to_bytes() for day in DAYS]


def test_old_and_new_are_merged_as_if_both_were_new(old: Profile) -> None:
    new = profile(DAYS[1])
    expected = Profile.merged([profile(DAYS[0]), new])
    assert Profile.merged([old, new]).to_bytes() == expected.to_bytes()


def test_beside_its_partition_an_old_profile_serves_windows_and_drift(
    lake: Lake, old: Profile
) -> None:
    store = ProfileStore(lake)
    for day in DAYS:
        published = overwrite_partition(
            lake.table("t"), day, rows_of(day).select(["code"]), token=1
        )
        store.write(published, profile(day))
        if day == DAYS[0]:
            (path,) = (lake.root / "_profiles" / "t" / day).iterdir()
            path.write_bytes((STORED / "format_1.profile").read_bytes())
    days = store.read("t", first=DAYS[0], last=DAYS[1], categorical=["code"])
    assert [one.columns["code"].kind for one in days.values()] == ["category", "category"]
    whole = store.read_window("t", first="2024-01-01", last="2024-01-31", n_days=2)
    assert [part.n_rows for part in whole.parts] == [3000]
    assert not detect_drift(Baseline(old), profile(DAYS[0]), window=DAYS[0]).alarms
