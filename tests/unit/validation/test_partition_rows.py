"""The limit of memory: how it is written, and how many rows it lets in at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from mlops_tasks.exceptions import DamagedTableError, SpecError
from mlops_tasks.lake import overwrite_partition
from mlops_tasks.validation.partition_rows import PartitionRows, memory_limit, rows_within
from tests.unit.orders import day, orders_dataset

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from tests.unit.validation.conftest import Nights

    Orders = Callable[..., pa.Table]

DAY = day(0)


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("1B", 1),
        ("500MB", 500_000_000),
        ("1.5 gb", 1_500_000_000),
        ("2GiB", 2 * 2**30),
        ("64kib", 2**16),
        (" 1TB ", 10**12),
    ],
)
def test_a_size_is_written_as_for_duckdb(
    monkeypatch: pytest.MonkeyPatch, text: str, n_bytes: int
) -> None:
    monkeypatch.setenv("MLOPS_VALIDATION_MEMORY", text)
    assert memory_limit() == (text, n_bytes)


@pytest.mark.parametrize("text", ["", "1", "GB", "-1GB", "1GB x", "1 lamb", "80%"])
def test_anything_else_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MLOPS_VALIDATION_MEMORY", text)
    with pytest.raises(SpecError, match=r"MLOPS_VALIDATION_MEMORY is .* write it like 500MB"):
        memory_limit()


def test_a_row_counts_three_times_and_eight_always_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLOPS_VALIDATION_MEMORY", raising=False)
    assert rows_within(200) == 1_666_666
    monkeypatch.setenv("MLOPS_VALIDATION_MEMORY", "1B")
    assert rows_within(0.0) == rows_within(200) == 8


def committed(lake: Lake, rows: pa.Table, token: int = 1) -> PartitionRows:
    overwrite_partition(lake.table("raw"), DAY, rows, token=token)
    (commit,) = lake.table("raw").commits(first=DAY, last=DAY)
    return PartitionRows.within_memory(lake.table("raw"), commit)


@pytest.mark.parametrize("length", [1, 30, 1000])
def test_large_rows_make_small_chunks(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setenv("MLOPS_VALIDATION_MEMORY", "300kB")
    table = pa.table({"n": range(20_000), "text": ["x" * length] * 20_000})
    rows = committed(lake, table)
    assert rows.chunk_rows == pytest.approx(100_000 / (8 + 4 + length), rel=0.02)
    assert rows.how == f"{rows.n_chunks} chunks of {rows.chunk_rows:,} rows, for " + (
        "MLOPS_VALIDATION_MEMORY=300kB"
    )
    sizes = [chunk.nbytes for _, chunk in rows.chunks()]
    assert len(sizes) == rows.n_chunks
    assert sum(sizes) / len(sizes) < 300_000 / 3 * 1.02


def test_rows_that_become_large_are_told_by_the_bytes_of_their_files(lake: Lake) -> None:
    """The first rows are small here; the recorded size of the files says more."""
    noise = [bytes(range(256)).hex() + str(n) * 99 for n in range(1000)]
    rows = committed(lake, pa.table({"text": [*["x"] * 3000, *noise]}))
    recorded = rows.commit.files[0].size / 4000
    assert rows.chunk_rows == int(10**9 / (3 * max(recorded, 5)))


def test_no_rows_need_no_memory(lake: Lake) -> None:
    rows = committed(lake, pa.table({"n": pa.array([], pa.int64())}))
    assert (rows.n_chunks, rows.how) == (1, "all rows at once")


def test_a_damaged_file_is_named(lake: Lake) -> None:
    rows = committed(lake, pa.table({"n": range(1000)}))
    path = lake.table("raw").folder / rows.commit.files[0].path
    content = bytearray(path.read_bytes())
    content[60:200] = bytes(140)
    path.write_bytes(bytes(content))
    with pytest.raises(DamagedTableError, match="a data file cannot be read as it was written"):
        PartitionRows.within_memory(lake.table("raw"), rows.commit)


def test_the_report_says_how_it_was_cut(
    night: Nights, tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = orders_dataset(tmp_path)
    assert "<dd>all rows at once</dd>" in (lake.root / night(spec, 0).report).read_text()
    monkeypatch.setenv("MLOPS_VALIDATION_MEMORY", "5kB")
    result = night(spec, 0)
    rows = -(-80 // result.n_chunks)
    page = (lake.root / result.report).read_text()
    assert result.n_chunks > 1
    assert f"<dd>{result.n_chunks} chunks of" in page
    assert "rows, for MLOPS_VALIDATION_MEMORY=5kB</dd>" in page
    assert 8 <= rows < 80
