from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest

from mlops_airflow.stack.processes import (
    ProcessId,
    end_processes,
    is_alive,
    reap_orphans,
    session_processes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Leads a session; below it a task in a group of its own, below that a shell in its own session.
FAMILY = """
import os, subprocess, sys, time
task = subprocess.Popen([sys.executable, "-c", '''
import subprocess, time
subprocess.Popen(["sleep", "60"], start_new_session=True)
print("started", flush=True)
time.sleep(60)
'''], process_group=0)
{leader}
"""

Spawn = "Callable[[str], subprocess.Popen[str]]"


@pytest.fixture
def spawn() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(code: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        return process

    yield start
    for process in started:
        end_processes(session_processes([ProcessId.of(process.pid)]), grace_s=0)
        process.kill()
        process.communicate()


def test_a_session_and_what_left_it_are_found_and_ended(spawn: Spawn) -> None:
    leader = spawn(FAMILY.format(leader="time.sleep(60)"))

    found = session_processes([ProcessId.of(leader.pid)])

    assert sorted(p.name() for p in found)[-1] == "sleep"
    assert len(found) == 3
    assert end_processes(found) == 0
    assert not session_processes([ProcessId.of(leader.pid)])


def test_a_session_outlives_its_leader(spawn: Spawn) -> None:
    leader = spawn(FAMILY.format(leader="time.sleep(60)"))
    recorded = ProcessId.of(leader.pid)
    leader.kill()
    leader.wait()

    found = session_processes([recorded])

    assert len(found) == 2
    assert end_processes(found) == 0


def test_a_reused_pid_is_somebody_else(spawn: Spawn) -> None:
    process = spawn("print('started', flush=True); import time; time.sleep(60)")
    recorded = ProcessId.of(process.pid)
    earlier = replace(recorded, create_time=recorded.create_time - 60)

    assert is_alive(recorded)
    assert not is_alive(earlier)
    assert len(session_processes([recorded])) == 1
    assert session_processes([earlier]) == []


def test_a_process_that_ignores_sigterm_is_killed(spawn: Spawn) -> None:
    process = spawn(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('started', flush=True); time.sleep(60)"
    )
    started_at = time.monotonic()

    left = end_processes([psutil.Process(process.pid)], grace_s=0.3)

    assert left == 0
    assert process.wait(5) == -9
    assert time.monotonic() - started_at < 3


def test_an_ended_process_is_not_alive(spawn: Spawn) -> None:
    process = spawn("print('started', flush=True)")
    recorded = ProcessId.of(process.pid)
    time.sleep(0.2)

    assert not is_alive(recorded)  # not reaped yet
    process.wait()
    assert not is_alive(recorded)
    assert not is_alive(ProcessId.of(process.pid))


def test_the_caller_is_never_listed() -> None:
    mine = session_processes([ProcessId.of(os.getsid(0))])

    assert os.getpid() not in {process.pid for process in mine}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux lets adopt")
def test_only_adopted_processes_are_collected() -> None:
    own = subprocess.Popen(["sh", "-c", "exit 3"], start_new_session=True)
    here = subprocess.Popen(["sh", "-c", "exit 4"])
    for process in (own, here):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    reap_orphans({own.pid})
    assert (own.wait(), here.wait()) == (3, 4)

    adopted = subprocess.Popen(["sh", "-c", "exit 5"], start_new_session=True)
    os.waitid(os.P_PID, adopted.pid, os.WEXITED | os.WNOWAIT)
    reap_orphans({own.pid})
    with pytest.raises(ChildProcessError):
        os.waitpid(adopted.pid, 0)
    adopted.wait()
