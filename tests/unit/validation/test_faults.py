"""Killed at any place and run again: the same tables, every row in one of them, and a report."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlops_tasks.faults import FAULT_VARIABLE, InjectedFaultError
from mlops_tasks.lake import Lake
from mlops_tasks.profiles.store import ProfileStore
from mlops_tasks.steps.ingest import raw_table
from mlops_tasks.steps.validate import validate
from mlops_tasks.validation import quarantine_table
from tests.unit.orders import day, orders_dataset, rows_of
from tests.unit.validation.conftest import Nights, changed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from mlops_tasks.lake import PartitionVersion
    from mlops_tasks.specs import DatasetSpec

ROOT = Path(__file__).resolve().parents[3]
DAY = day(0)
PLACES = (
    "quarantine:before",
    "publish:before_write",  # that of the quarantine, which is written first
    "publish:mid_write",
    "publish:before_commit",
    "publish:after_commit",
    "quarantine:after",
    "profile:before_write",
    "validate:after_publish",
    "report:before_write",
)
# One process that imports everything and uses nothing: each killed run is a fork of it.
SCRIPT = """
import json, os, sys
from pathlib import Path
import deltalake, great_expectations.expectations, jinja2, pyarrow.dataset, pyarrow.parquet
from mlops_tasks.lake import Lake
from mlops_tasks.lake import PartitionVersion
from mlops_tasks.validation import validate
from tests.unit.orders import orders_dataset
for folder, fault, raw in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        os.environ["MLOPS_FAULT"] = fault
        spec = orders_dataset(Path(folder), max_quarantined_share=0.2)
        validate(spec, PartitionVersion(**raw), lake=Lake(Path(folder) / "lake"), token=50)
        os._exit(0)
    print("ENDED", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@dataclass(frozen=True)
class Killed:
    """A lake whose validation was killed, what it held before, and what it was to publish."""

    lake: Lake
    spec: DatasetSpec
    raw: PartitionVersion
    before: list[list[tuple[object, ...]]]


def state(lake: Lake, spec: DatasetSpec) -> list[list[tuple[object, ...]]]:
    """Return the rows of both tables, in an order of their own."""
    return [
        sorted(tuple(map(str, row.values())) for row in _rows(lake, table))
        for table in (spec.name, quarantine_table(spec))
    ]


def _rows(lake: Lake, table: str) -> list[dict[str, object]]:
    return lake.table(table).read(first=DAY, last=DAY).to_pylist() if lake.exists(table) else []


def profiled(lake: Lake, published: PartitionVersion) -> int:
    """Return the rows that the profile of the published version is of; its files are no others."""
    folder = lake.root / "_profiles" / published.table / published.partition
    assert [int(path.stem) for path in folder.iterdir()] == [published.version]
    return ProfileStore(lake).read(published.table, first=DAY, last=DAY)[DAY].n_rows


@pytest.fixture(scope="module", autouse=True)
def chunked() -> Iterator[None]:
    """Have every validation stream its rows, those in other processes, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLOPS_VALIDATION_MEMORY", "1B")
        yield


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Killed]:
    """Return one killed validation for every place."""
    runs = {place: _prepared(tmp_path_factory.mktemp("killed")) for place in PLACES}
    jobs = [
        (str(run.lake.root.parent), f"{place}:kill", asdict(run.raw)) for place, run in runs.items()
    ]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(jobs)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    ended = [line for line in done.stdout.splitlines() if line.startswith("ENDED")]
    assert ended == [f"ENDED {-signal.SIGKILL}"] * len(PLACES), done.stderr[-2000:]
    return runs


def _prepared(folder: Path) -> Killed:
    lake = Lake(folder / "lake")
    night, spec = Nights(lake), _dataset(folder)
    night(spec, 0, changed(rows_of(0)["orders"], items={0: 50, 9: None}))
    before = state(lake, spec)
    return Killed(lake, spec, night.raw(spec, 0, _news()), before)


def _dataset(folder: Path) -> DatasetSpec:
    return orders_dataset(folder, max_quarantined_share=0.2)


def _news() -> pa.Table:
    return changed(rows_of(0)["orders"], items={1: 60, 7: None, 30: None})


@pytest.mark.parametrize("place", PLACES)
def test_killed_and_run_again(place: str, killed: dict[str, Killed]) -> None:
    run = killed[place]
    published, _ = state(run.lake, run.spec)
    assert published in (run.before[0], _expected()[0]), "the old or the new one, no mixture"
    result = validate(run.spec, run.raw, lake=run.lake, token=51)
    assert profiled(run.lake, result.published) == 78
    assert (run.lake.root / result.report).is_file()
    assert state(run.lake, run.spec) == _expected()
    assert len(state(run.lake, run.spec)[0]) + len(state(run.lake, run.spec)[1]) == 80
    assert result.n_rows_in == 80
    assert not list(run.lake.root.rglob("*.tmp"))


def _expected() -> list[list[tuple[object, ...]]]:
    rows = _news().to_pylist()
    texts: list[tuple[object, ...]] = [tuple(map(str, row.values())) for row in rows]
    good = sorted(text for text, row in zip(texts, rows, strict=True) if row["items"] is not None)
    bad = [
        (*text, "null:items") for text, row in zip(texts, rows, strict=True) if row["items"] is None
    ]
    return [good, sorted(bad)]


@pytest.mark.parametrize(
    ("place", "action", "error", "message"),
    [
        *((place, "raise", InjectedFaultError, "fault at") for place in PLACES),
        ("publish:mid_write", "enospc", OSError, "no space left"),
        ("report:before_write", "enospc", OSError, "no space left"),
    ],
)
def test_a_fault_is_an_error_and_the_next_run_repairs_it(
    place: str,
    action: str,
    error: type[Exception],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = _prepared(tmp_path)
    monkeypatch.setenv(FAULT_VARIABLE, f"{place}:{action}")
    with pytest.raises(error, match=message):
        validate(run.spec, run.raw, lake=run.lake, token=50)
    assert state(run.lake, run.spec)[0] in (run.before[0], _expected()[0])
    monkeypatch.delenv(FAULT_VARIABLE)
    result = validate(run.spec, run.raw, lake=run.lake, token=51)
    assert (result.published.n_rows, result.n_quarantined) == (78, 2)
    assert profiled(run.lake, result.published) == 78
    assert state(run.lake, run.spec) == _expected()
    assert raw_table(run.spec) in run.lake.tables()
