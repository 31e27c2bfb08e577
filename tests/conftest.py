"""For every test: an Airflow of its own, and on CI no excuse for not running."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

REQUIRE_ALL = "MLOPS_REQUIRE_ALL"
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}
#: The project's own fixtures, also where it was installed before it had any.
pytest_plugins = ["mlops_airflow.testing.fixtures"]


def _isolate() -> None:
    """Keep tests away from the Airflow and MLflow that the shell may point at."""
    for name in [n for n in os.environ if n.startswith(("AIRFLOW_", "MLFLOW_"))]:
        del os.environ[name]
    # Before anything imports Airflow: it reads this once, and makes ~/airflow without it.
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    # Threads of several workers on few cores wait for each other by spinning: a small fit then
    # takes forty times as long. The stack gives its tasks one thread, too.
    for name, value in _ONE_THREAD.items():
        os.environ.setdefault(name, value)
    # A shell that runs the tests in the background has them, and all they start, ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


_isolate()


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get(REQUIRE_ALL) != "1" or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"{reason}\n{REQUIRE_ALL}=1 makes this a failure: install what is missing."


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one where nothing may be missing."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a file that skips itself."""
    report = yield
    _refuse_skip(report)
    return report
