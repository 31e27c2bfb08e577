from __future__ import annotations

import pyarrow as pa
import pytest

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.archive import pack_days, unpack_days
from tests.unit.orders import day


def test_days_travel_in_one_file() -> None:
    rows = pa.table({"x": [1.0, 2.0]})
    profile = Profile.of(rows.to_batches(), rows.schema)
    packed = pack_days({day(2): profile, day(1): profile})
    assert packed == pack_days({day(2): profile, day(1): profile})
    assert list(unpack_days(packed)) == [day(2), day(1)]
    assert unpack_days(packed)[day(1)].columns["x"].mean == 1.5
    with pytest.raises(DamagedTableError, match="cannot be read"):
        unpack_days(packed[:40])
