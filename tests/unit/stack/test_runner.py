"""The process runner, with small programs in the place of Airflow and MLflow."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from mlops_airflow.stack.credentials import load_credentials
from mlops_airflow.stack.ending import end_stack
from mlops_airflow.stack.processes import ProcessId, descendants, is_alive, session_processes
from mlops_airflow.stack.record import StackRecord, read_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_airflow.stack.settings import StackSettings

RUNNER = """
import json, sys
import mlops_airflow.stack.runner as runner
commands = json.loads(sys.argv[1])
runner.component_commands = lambda settings: commands
real = runner.component_environments
runner.component_environments = lambda *args: dict.fromkeys(commands, real(*args)["scheduler"])
runner.OWN_TIME_S, runner.GRACE_S, runner.LIMIT_S = 0.5, 1.0, float(sys.argv[2])
runner.LATE_MESSAGE_S = 0.3
sys.exit(runner.main())
"""

WAIT = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)",
]


class Runner:
    def __init__(self, settings: StackSettings, process: subprocess.Popen[str]) -> None:
        self.settings, self.process = settings, process
        self.seen: set[psutil.Process] = set()

    def record(self, n_components: int, n_processes: int | None = None) -> StackRecord:
        """Wait until so many components, with so many processes in all, are there."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            record = read_record(self.settings.record_file)
            if record is not None and len(record.components) == n_components:
                self.seen = set(session_processes(record.components.values()))
                if len(self.seen) >= (n_processes or n_components):
                    self.seen |= set(descendants(psutil.Process(self.process.pid)))
                    return record
            time.sleep(0.02)
        raise AssertionError(self.log("runner"))

    def log(self, name: str) -> str:
        return self.settings.component_log(name).read_text()

    def end(self) -> int:
        """Wait for the end and make sure that nothing is left."""
        code = self.process.wait(10)
        assert [p for p in self.seen if is_alive(ProcessId(p.pid, p.create_time()))] == []
        return code


Start = "Callable[..., Runner]"


@pytest.fixture
def start(made_home: StackSettings) -> Iterator[Callable[..., Runner]]:
    load_credentials(made_home.secrets_file)
    started: list[subprocess.Popen[str]] = []

    def run(commands: dict[str, list[str]], *flags: str, limit_s: float = 20, **env: str) -> Runner:
        process = subprocess.Popen(
            [sys.executable, "-c", RUNNER, json.dumps(commands), str(limit_s), *flags],
            env=os.environ | made_home.to_env() | env,
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return Runner(made_home, process)

    yield run
    end_stack(made_home)
    for process in started:
        process.kill()
        process.communicate()


def test_sigterm_ends_everything(start: Start) -> None:
    runner = start({"a": WAIT, "b": WAIT})
    runner.record(2)

    runner.process.terminate()

    assert runner.end() == 0
    record = read_record(runner.settings.record_file)
    assert record is not None
    assert record.first_stop is None


def test_sigint_ends_everything(start: Start) -> None:
    runner = start({"a": WAIT})
    runner.record(1)

    runner.process.send_signal(signal.SIGINT)

    assert runner.end() == 0


def test_crash_of_one_ends_the_others(start: Start) -> None:
    runner = start({"a": WAIT, "b": WAIT})
    record = runner.record(2)

    os.kill(record.components["b"].pid, signal.SIGKILL)

    assert runner.end() == 1
    record = read_record(runner.settings.record_file)
    assert record is not None
    assert record.first_stop == ("b", -9)


def test_program_that_does_not_exist(start: Start) -> None:
    runner = start({"a": WAIT, "b": ["/nowhere/program"]})

    assert runner.end() == 1
    record = read_record(runner.settings.record_file)
    assert record is not None
    assert record.first_stop == ("b", 127)
    assert "/nowhere/program" in runner.log("b")


def test_stubborn_component_is_killed(start: Start) -> None:
    runner = start({"a": STUBBORN, "b": WAIT})
    runner.record(2)
    time.sleep(0.3)  # until it ignores the signal
    asked_at = time.monotonic()

    runner.process.terminate()

    assert runner.end() == 0
    assert 0.9 < time.monotonic() - asked_at < 4


def test_endless_end_is_cut_short(start: Start) -> None:
    runner = start({"a": STUBBORN}, limit_s=0.1)
    runner.record(1)
    time.sleep(0.3)

    runner.process.terminate()

    assert runner.end() == 1


def test_task_that_holds_the_pipe_is_ended_with_its_scheduler(start: Start) -> None:
    # As an Airflow task: a group of its own, the scheduler's standard output, deaf to SIGTERM;
    # and below it a shell in a session of its own.
    task = (
        "import signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "subprocess.Popen(['sleep', '60'], start_new_session=True); time.sleep(60)"
    )
    scheduler = (
        "import subprocess, sys, time;"
        f"subprocess.Popen([sys.executable, '-c', {task!r}], process_group=0); time.sleep(60)"
    )
    runner = start({"scheduler": [sys.executable, "-c", scheduler]})
    record = runner.record(1, n_processes=3)

    os.kill(record.components["scheduler"].pid, signal.SIGKILL)

    assert runner.end() == 1
    record = read_record(runner.settings.record_file)
    assert record is not None
    assert record.first_stop == ("scheduler", -9)


def test_triggerer_ends_by_its_child(start: Start) -> None:
    parent = (
        "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen(['sleep', '60']); child.wait(); print('in order')"
    )
    runner = start({"triggerer": [sys.executable, "-c", parent]})
    runner.record(1, n_processes=2)

    runner.process.terminate()

    assert runner.end() == 0
    assert "in order" in runner.log("triggerer")


def test_secrets_do_not_reach_the_log(start: Start) -> None:
    show = (
        "import os, json; print(os.environ['MY_TOKEN'], json.dumps(dict(os.environ)));"
        "print('é', b'\\xff')"
    )
    runner = start({"a": [sys.executable, "-c", show]}, MY_TOKEN='to"ken-value')

    runner.end()

    log = runner.log("a")
    assert "***" in log
    assert "é" in log
    credentials = load_credentials(runner.settings.secrets_file)
    for secret in ('to"ken-value', 'to\\"ken-value', *credentials.values()):
        assert secret not in log
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in runner.settings.logs_folder.iterdir()}
    assert modes == {"a.log": 0o600, "runner.log": 0o600}


def test_signal_during_the_start(start: Start) -> None:
    runner = start({f"c{n}": WAIT for n in range(4)})
    deadline = time.monotonic() + 10
    while not runner.settings.record_file.exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)  # its signal handlers are set a moment after the record

    runner.process.terminate()

    assert runner.process.wait(10) in {0, -signal.SIGTERM}
    end_stack(runner.settings)
    assert [p for p in descendants() if p.name() == "sleep"] == []


def test_attached_runner_ends_with_its_starter(start: Start) -> None:
    runner = start({"a": WAIT}, "--attached")
    runner.record(1)
    assert runner.process.stdin is not None

    runner.process.stdin.close()

    runner.end()


def test_dead_reader_is_noticed(start: Start) -> None:
    runner = start({"a": WAIT, "b": WAIT})
    record = runner.record(2)
    reader = psutil.Process(record.components["a"].pid).parent()
    assert reader is not None
    assert reader.pid != runner.process.pid

    reader.kill()

    assert runner.end() == 1


def test_killed_runner_leaves_orphans_that_down_ends(start: Start) -> None:
    runner = start({"a": WAIT, "b": WAIT})
    record = runner.record(2)
    runner.process.kill()
    runner.process.wait()
    assert all(is_alive(component) for component in record.components.values())

    ended, left = end_stack(runner.settings)

    assert left == 0
    assert ended >= 2
    runner.end()
    assert end_stack(runner.settings) == (0, 0)
