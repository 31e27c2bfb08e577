"""The benchmark of the ingestion, on few rows: that it measures, not what."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.quality.discovery import ROOT
from tests.system import servers

if TYPE_CHECKING:
    from pathlib import Path


def test_it_measures_both_and_writes_no_results(tmp_path: Path) -> None:
    pytest.importorskip("psycopg2", reason="install psycopg2-binary")
    with servers.postgres():
        pass  # skips where there is none
    results = ROOT / "benchmarks" / "RESULTS.md"
    before = results.read_bytes() if results.exists() else None
    command = [sys.executable, "benchmarks/lake.py", "--only", "ingest", "--quick", "--json"]
    done = subprocess.run(
        [*command, str(tmp_path / "figures.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "figures.json").read_text())
    assert found["name"] == "lake"
    assert {"before", "after"} <= set(found["load"])
    figures = {one["what"]: one for one in found["figures"]}
    took = figures["1M rows"]
    assert 0 < took["value"] < 60
    assert 0 < took["peer_value"] < 60
    assert figures["1M rows, times faster"]["required"] == "at least 4"
    assert 50 < figures["10M rows, peak memory"]["value"] < 1000
    assert (results.read_bytes() if results.exists() else None) == before
