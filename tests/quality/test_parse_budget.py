"""Parsing stays cheap: Airflow imports every Dag file again and again, in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.quality.discovery import DAGS, HEAVY, ROOT

SCRIPT = """
import json, sys, time
from pathlib import Path
from airflow.dag_processing.dagbag import BundleDagBag
import airflow.sdk
folder = Path(sys.argv[1])
before, start = set(sys.modules), time.perf_counter()
bag = BundleDagBag(dag_folder=folder, bundle_path=folder)
print("RESULT", json.dumps({
    "seconds": round(time.perf_counter() - start, 3),
    "errors": {str(path): text for path, text in bag.import_errors.items()},
    "dags": sorted(bag.dags),
    "new": sorted({name.partition(".")[0] for name in set(sys.modules) - before}),
    "all": sorted({name.partition(".")[0] for name in sys.modules}),
}))
"""


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    home = tmp_path_factory.mktemp("airflow")
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
    env |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    }
    return run(env, DAGS)


def run(env: dict[str, str], folder: Path) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stderr[-2000:]
    result: dict[str, object] = json.loads(lines[0].removeprefix("RESULT "))
    return result


def test_no_heavy_library_is_imported_by_parsing(
    parsed: dict[str, object], record_property: Callable[[str, object], None]
) -> None:
    record_property("parse_seconds", parsed["seconds"])  # to look at; machines differ too much
    assert not parsed["errors"]
    assert parsed["dags"], "nothing was parsed"
    new = parsed["new"]
    assert isinstance(new, list)
    heavy = sorted(set(new) & set(HEAVY))
    assert not heavy, f"move {heavy} into the functions that use them"


def test_airflow_itself_imports_none_either(parsed: dict[str, object]) -> None:
    """Else the test above could not see who brought one in."""
    everything, new = parsed["all"], parsed["new"]
    assert isinstance(everything, list)
    assert isinstance(new, list)
    assert not (set(everything) - set(new)) & set(HEAVY)
