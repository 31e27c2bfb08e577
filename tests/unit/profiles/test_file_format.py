from __future__ import annotations

import struct
import zlib

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.file_format import FORMAT_VERSION
from tests.unit.profiles.rows import numbers, profile

LIMIT = 64 * 1024


@pytest.fixture(scope="module")
def wide() -> Profile:
    """15 columns of doubles without any pattern, 5 of texts: the worst that the target names."""
    n, random = 100_000, np.random.default_rng(7)
    columns = {f"x{i}": numbers(n, i) for i in range(15)}
    for size in (2, 5, 20, 100, 1000):
        values = pa.array([f"value {i}" for i in range(size)])
        columns[f"of {size}"] = values.take(pa.array(random.integers(0, size, n)))
    return profile(pa.table(columns))


def test_twenty_columns_need_less_than_64_kb(wide: Profile) -> None:
    assert len(wide.columns) == 20
    assert len(wide.to_bytes()) < LIMIT


def test_the_same_profile_has_the_same_bytes(wide: Profile) -> None:
    assert Profile.from_bytes(wide.to_bytes()).to_bytes() == wide.to_bytes()


def test_another_format_is_refused_by_name(wide: Profile) -> None:
    raw = bytearray(wide.to_bytes())
    struct.pack_into("<H", raw, 8, FORMAT_VERSION + 1)
    with pytest.raises(DamagedTableError, match=f"has format {FORMAT_VERSION + 1}, this program"):
        Profile.from_bytes(bytes(raw))


@pytest.mark.parametrize("raw", [b"", b"PAR1" * 10, b"MLOPSPRF"])
def test_something_else_is_not_a_profile(raw: bytes) -> None:
    with pytest.raises(DamagedTableError, match="not a profile"):
        Profile.from_bytes(raw)


@pytest.mark.parametrize("at", [10, 14, 22, 200, -1])
def test_a_flipped_bit_is_seen(wide: Profile, at: int) -> None:
    raw = bytearray(wide.to_bytes())
    raw[at] ^= 4
    with pytest.raises(DamagedTableError):
        Profile.from_bytes(bytes(raw))


def test_a_cut_off_profile_is_seen(wide: Profile) -> None:
    with pytest.raises(DamagedTableError, match="damaged"):
        Profile.from_bytes(wide.to_bytes()[:-1])


def test_a_size_that_cannot_be_is_not_allocated() -> None:
    checked = struct.pack("<Q", 2**62) + b"x"
    raw = struct.pack("<8sHI", b"MLOPSPRF", FORMAT_VERSION, zlib.crc32(checked)) + checked
    with pytest.raises(DamagedTableError, match="damaged"):
        Profile.from_bytes(raw)
