"""What a test of a user's Dag takes: the first of a session, those after it, and one without any.

A project is written to a temporary folder, and pytest runs its tests as a person would: each takes
in one day of 1,000 rows from an SQLite file by ``run_dag``, over stores of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

from benchmarks._shared.console import say
from benchmarks._shared.figures import Samples, figure
from benchmarks._shared.parts import Measured

__all__ = ["measure"]

N_TESTS, QUICK_N_TESTS = 12, 3
SESSIONS, QUICK_SESSIONS = 3, 1
LONGEST_S = 2.0
PLUGIN = "mlops_airflow.testing.fixtures"

SPEC = """
from datetime import date
from pathlib import Path
from mlops_tasks.specs import DatasetSpec, SqlSource

ORDERS = DatasetSpec(
    name="orders", description="Orders of a shop, as they come in by the day.",
    source=SqlSource(conn_id="shop", query="SELECT * FROM orders WHERE day = :partition"),
    columns={"order_id": "string", "day": "string", "price": "float64"}, key=("order_id",),
    expectations=Path(__file__).with_name("orders.json"), start=date(2024, 3, 1),
)
"""
DAG = """
from mlops_airflow.lifecycle import build_dataset_dags
from shop.spec import ORDERS

build_dataset_dags(ORDERS, namespace=globals())
"""
SUITE = """{"name": "orders", "expectations": [{"type": "expect_column_values_to_be_between",
"kwargs": {"column": "price", "min_value": 0}, "severity": "critical"}]}"""
TESTS = """
import sqlite3
from contextlib import closing
import pytest

@pytest.mark.parametrize("number", range(%d))
def test_a_day_is_taken_in(number, run_dag, lake, connect, tmp_path):
    with closing(sqlite3.connect(tmp_path / "shop.db")) as shop:
        shop.execute("CREATE TABLE orders (order_id TEXT, day TEXT, price REAL)")
        rows = [(f"A{n}", "2024-03-05", 1.5 * n) for n in range(1000)]
        shop.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)
        shop.commit()
    connect("shop", conn_type="sqlite", host=str(tmp_path / "shop.db"))
    run = run_dag("orders.ingest", "2024-03-05")
    assert run.tasks == {"ingest": "success", "validate": "success"}
    assert lake.table("orders").read(first="2024-03-05", last="2024-03-05").num_rows == 1000
"""
NOTHING = "def test_nothing():\n    assert True\n"


def measure(*, quick: bool) -> Measured:
    """Run the tests of the project in some sessions, and an empty suite with and without us."""
    n_tests, n_sessions = (QUICK_N_TESTS, QUICK_SESSIONS) if quick else (N_TESTS, SESSIONS)
    home = Path(tempfile.mkdtemp(prefix="mlops-benchmark-"))
    try:
        _write(home, n_tests)
        sessions = []
        for number in range(n_sessions):
            sessions.append(_session(home))
            say(f"dagtest: session {number + 1} of {n_sessions}")
        unused = [(_empty(home), _empty(home, "-p", f"no:{PLUGIN}")) for _ in range(5 * n_sessions)]
    finally:
        shutil.rmtree(home, ignore_errors=True)
    later = [seconds for session in sessions for seconds in session[1:]]
    with_us, without = zip(*unused, strict=True)
    figures = [
        figure("a test that runs a Dag, after the first of its session, the longest of all",
               max(later), "s", below=LONGEST_S),
        figure("the same, median", Samples.of(later), "s"),
        figure("the first one, databases and imports included",
               Samples.of([session[0] for session in sessions]), "s"),
        figure("pytest on one test that needs nothing", Samples.of(with_us), "s",
               peer="the plugin switched off", peer_measured=Samples.of(without)),
    ]  # fmt: skip
    notes = [
        f"{n_sessions} sessions of {n_tests} tests; set-up and call of each test, by pytest's own "
        "clock: the fixtures, a source of 1,000 rows, `orders.ingest` with its two tasks, and a "
        "look into the lake."
    ]
    return Measured(figures, {}, notes)


def _write(home: Path, n_tests: int) -> None:
    files = {"spec.py": SPEC, "dag.py": DAG, "orders.json": SUITE}
    for name, text in {f"dags/shop/{name}": text for name, text in files.items()}.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    (home / "test_shop.py").write_text(TESTS % n_tests)
    (home / "test_nothing.py").write_text(NOTHING)


def _session(home: Path) -> list[float]:
    """Return the seconds of each test of a session, in their order."""
    report = home / "report.xml"
    _pytest(home, "test_shop.py", f"--junitxml={report}")
    cases = ElementTree.parse(report).iter("testcase")  # noqa: S314 - pytest has just written it
    return [float(case.attrib["time"]) for case in cases]


def _empty(home: Path, *options: str) -> float:
    started = time.perf_counter()
    _pytest(home, "test_nothing.py", *options)
    return time.perf_counter() - started


def _pytest(home: Path, *arguments: str) -> None:
    foreign = ("AIRFLOW", "MLFLOW", "COVERAGE", "PYTEST")
    env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    isolated = (
        "-c",
        os.devnull,
        "--rootdir",
        ".",
        "-p",
        "no:cacheprovider",
        "-o",
        "pythonpath=dags",
    )
    command = [sys.executable, "-m", "pytest", "-q", *isolated, *arguments]
    done = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pytest failed:\n{done.stdout[-3000:]}\n{done.stderr[-1000:]}")
