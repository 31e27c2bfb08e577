"""A time limit that native code cannot outrun, and what is left behind: nothing.

The processes here are set up as Airflow's supervisor sets up a task's: leaders of a group of their
own, with an alarm whose handler raises what no `except Exception` catches.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent, indent

import psutil
import pytest

from mlops_tasks.exceptions import TimeLimitError
from mlops_tasks.time_limit import interrupted_at_limit, time_limit

ROOT = Path(__file__).resolve().parents[2]
# Imports may take longer than the limit on a busy machine; they come before it.
PROGRAM = """
import os, signal, subprocess, sys, tempfile
{imports}
from mlops_tasks.scratch import scratch
from mlops_tasks.time_limit import time_limit

class AirflowTaskTimeout(BaseException):
    pass

def timed_out(number, frame):
    raise AirflowTaskTimeout("Timeout")

def attempt(work):
    signal.signal(signal.SIGALRM, timed_out)
    with scratch() as folder:
        (folder / "part").write_bytes(b"x" * 4096)
        signal.setitimer(signal.ITIMER_REAL, {limit})
        with time_limit({limit}, task="t", fix="Raise time_limit_s", grace_s={grace}):
            print(folder, flush=True)
            work()

def work():
{work}

{last}
"""
QUERIES = """
import duckdb, pandas, pyarrow.compute
from mlops_tasks.features.duckdb_session import connect

def query(text):
    with connect() as connection:
        connection.register("t", pyarrow.table({"x": range(20_000)}))
        for batch in connection.sql(text).to_arrow_reader(100_000):
            pass

for text in (
    "SELECT a.x FROM t a, t b, t c WHERE a.x + b.x + c.x < 0",
    "SELECT sum(a.x * b.x + c.x) AS s FROM t a, t b, t c",
    "SELECT a.x + b.x + c.x AS y FROM t a, t b, t c ORDER BY y",
    "SELECT a.x + b.x + c.x AS y FROM t a, t b, t c",
):
    try:
        attempt(lambda: query(text))
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
"""
STUCK = "sum(range(10**12))"  # with the interpreter's lock held, so that no other thread runs


def start(
    tmp_path: Path,
    work: str = "pass",
    *,
    imports: str = "",
    last: str = "attempt(work)",
    limit: float = 0.5,
    grace: float = 20,
) -> subprocess.Popen[str]:
    fields = {"imports": imports, "last": last, "limit": limit, "grace": grace}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(work=indent(dedent(work).strip(), "    "), **fields)],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Return exit code, output and errors; these end when guard and children have ended."""
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


def left(tmp_path: Path) -> list[str]:
    (root,) = tmp_path.glob("mlops-*")
    return [path.name for path in root.iterdir() if path.name != "killed"]


def test_a_query_is_interrupted_at_the_limit(tmp_path: Path) -> None:
    code, output, errors = finish(start(tmp_path, last=QUERIES))
    said = [line for line in output.splitlines() if "Error" in line]
    assert (
        said
        == [
            "TimeLimitError: this took longer than its time limit of 0.5 s and was stopped. "
            "Raise time_limit_s"
        ]
        * 4
    ), errors
    assert code == 0
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("imports", "work"),
    [
        ("", STUCK),
        (
            "import numpy, sklearn.svm\n"
            "numbers = numpy.random.default_rng(0).normal(size=(60_000, 21))",
            "sklearn.svm.SVC(C=1e6).fit(numbers[:, 1:], numbers[:, 0] > 0)",
        ),
    ],
    ids=["the interpreter's lock is held", "a fit"],
)
def test_native_code_that_does_not_stop_is_killed(tmp_path: Path, imports: str, work: str) -> None:
    process = start(tmp_path, work, imports=imports, limit=2, grace=0.5)
    assert process.stdout is not None
    process.stdout.readline()
    begun = time.monotonic()
    code, _, errors = finish(process)
    assert code == -signal.SIGKILL, errors
    assert time.monotonic() - begun < 20  # two seconds, and what a busy machine makes of it
    assert errors == (
        "This process is killed: it did not stop 0.5 s after its time limit of 2 s. Raise "
        "time_limit_s. Nothing was published; its temporary files are removed.\n"
    )
    assert left(tmp_path) == []


def test_its_children_are_killed_with_it(tmp_path: Path) -> None:
    work = f"""
    child = subprocess.Popen(["sleep", "1000"])
    print(child.pid, flush=True)
    {STUCK}
    """
    process = start(tmp_path, work, grace=0.5)
    assert process.stdout is not None
    process.stdout.readline()
    child = psutil.Process(int(process.stdout.readline()))
    assert finish(process)[0] == -signal.SIGKILL
    assert psutil.wait_procs([child], timeout=10)[1] == []


def test_whoever_kills_it_its_folder_goes(tmp_path: Path) -> None:
    process = start(tmp_path, "signal.pause()", limit=1000)
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    assert (folder / "part").exists()
    process.kill()
    finish(process)
    assert left(tmp_path) == []


def test_work_that_ends_in_time_leaves_nothing_and_nobody(tmp_path: Path) -> None:
    work = "print([child.pid for child in psutil.Process().children()], flush=True)"
    process = start(tmp_path, work, imports="import psutil", limit=1000)
    assert process.stdout is not None
    process.stdout.readline()
    (guard,) = eval(process.stdout.readline())  # noqa: S307 (printed above)
    assert finish(process)[0] == 0
    assert not psutil.pid_exists(guard)
    assert left(tmp_path) == []


def test_a_task_that_was_killed_twice_is_refused(tmp_path: Path) -> None:
    codes = [finish(start(tmp_path, STUCK, grace=0.1))[0] for _ in range(2)]
    assert codes == [-signal.SIGKILL] * 2
    code, output, errors = finish(start(tmp_path, "print('begun')", limit=1000))
    assert (code, output) == (1, "")
    assert "TimeLimitError: t was killed 2 times" in errors


def test_only_the_block_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    calls: list[float] = []
    with time_limit(0.05, task="t", fix="."):
        pass
    with interrupted_at_limit(lambda: calls.append(1)):
        time.sleep(0.2)
    assert calls == []


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_an_error_before_the_limit_stays_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(error), time_limit(60, task="t", fix="."):
        raise error("x")


def test_an_error_after_the_limit_is_told_as_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def late() -> None:
        time.sleep(0.3)
        raise RuntimeError("Query interrupted")

    limit = time_limit(0.2, task="t", fix="Wait less")
    with pytest.raises(TimeLimitError, match=r"limit of 0\.2 s .* Wait less"), limit:
        late()
