"""For every test: an Airflow of its own, and on CI no excuse for not running."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

REQUIRE_ALL = "MLOPS_REQUIRE_ALL"
MEMORY = Path("/dev/shm")
#: What the largest tests have there at one time, several times over.
MEMORY_NEEDED = 8 * 2**30
_PREFIX = "mlops-tests-"
#: Files that take longest, the longest first: what begins last is what all others wait for.
LONGEST = (
    "docs/test_pages.py",
    "unit/trial/test_loop.py",
    "unit/checks/test_checks.py",
    "unit/scaffold/test_findings.py",
    "unit/test_grain_loops.py",
    "unit/features/test_feature_types.py",
    "unit/drift/test_calibration.py",
    "unit/operators/test_lifecycle.py",
    "unit/projects/test_machine_failures.py",
    "unit/projects/test_machine_heat.py",
    "unit/steps/test_problem_types.py",
    "unit/scaffold/test_projects.py",
    "system/test_night.py",
    "system/test_stack.py",
    "system/test_stack_ends.py",
    "system/test_replay.py",
    "system/test_release.py",
    "system/test_memory.py",
    "system/test_copy.py",
)
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}
#: The project's own fixtures, also where it was installed before it had any.
pytest_plugins = ["mlops_airflow.testing.fixtures"]


def _work_in_memory() -> Path | None:
    """Make temporary folders where a commit waits for no disk: a test makes hundreds of them.

    Killed processes find their files there as on a disk. Only a machine without power would not,
    which no test plays.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return None
    state = os.statvfs(MEMORY)
    # Containers have it small, and run no program from there.
    if state.f_flag & os.ST_NOEXEC or state.f_bavail * state.f_frsize < MEMORY_NEEDED:
        return None
    for left in MEMORY.glob(f"{_PREFIX}*"):
        if not Path(f"/proc/{left.name.split('-')[2]}").exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=MEMORY)
    # The databases of the tests run as users of their own, and have to come by.
    Path(folder).chmod(0o711)
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    return Path(folder)


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


_FOLDER = _work_in_memory()
_passed = False


@atexit.register  # here, so that it comes after all who remove their own folders from this one
def _free_memory() -> None:
    if _FOLDER and _passed:
        shutil.rmtree(_FOLDER, ignore_errors=True)


_isolate()


def pytest_sessionfinish(exitstatus: int) -> None:
    """Free the memory at exit; what failed tests have written is there until the next time."""
    global _passed
    _passed = exitstatus == pytest.ExitCode.OK


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files begin, so that no worker waits for one at the end."""
    places = {Path(__file__).parent / file: place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


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
