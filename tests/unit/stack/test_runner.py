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
import json, os, sys
import mlops_airflow.stack.component as component
import mlops_airflow.stack.health_watch as health_watch
import mlops_airflow.stack.orderly_end as orderly_end
import mlops_airflow.stack.restarts as restarts
import mlops_airflow.stack.runner as runner
commands, options = json.loads(sys.argv[1]), json.loads(sys.argv[2])
silent = os.path.join(os.environ["MLOPS_HOME"], "silent")

def health(airflow_url, mlflow_url, client, started_at):
    sick = open(silent).read().split() if os.path.exists(silent) else []
    return {n: "no answer" if n in sick else options["health"] for n in commands}

runner.component_commands = lambda settings: commands
real = runner.component_environments
runner.component_environments = lambda *args: dict.fromkeys(commands, real(*args)["scheduler"])
runner.component_health = health
runner.SILENT_S, runner.LEFT_OVER_S = 0.5, 0.1
health_watch.EAGER_S, health_watch.CALM_S = 0.02, 0.05
restarts.DELAYS_S = 0.05, 0.1
restarts.MAX_ENDS = runner.MAX_ENDS = options["max_ends"]
orderly_end.OWN_TIME_S, orderly_end.GRACE_S = 0.5, 1.0
orderly_end.LIMIT_S = options["limit_s"]
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
        """Wait until a number of components, and of processes in all, are there."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            record = read_record(self.settings.record_file)
            if record is not None and len(record.components) == n_components:
                self.seen = set(session_processes(record.leaders()[:-1]))
                if len(self.seen) >= (n_processes or n_components):
                    self.seen |= set(descendants(psutil.Process(self.process.pid)))
                    return record
            time.sleep(0.02)
        raise AssertionError(self.log("runner"))

    def wait(self, what: Callable[[StackRecord], bool]) -> StackRecord:
        """Wait until the record says something."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            record = read_record(self.settings.record_file)
            if record is not None and what(record):
                return record
            time.sleep(0.02)
        raise AssertionError((self.log("runner"), record))

    def healthy(self, n_components: int) -> dict[str, int]:
        """Wait until every component is healthy, and return their pids."""
        record = self.wait(
            lambda r: [c.state for c in r.components.values()] == ["healthy"] * n_components
        )
        self.seen |= set(descendants(psutil.Process(self.process.pid)))
        return {n: c.process.pid for n, c in record.components.items() if c.process}

    def titled(self, title: str) -> None:
        """Wait until a process below the runner has given itself a title."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            processes = descendants(psutil.Process(self.process.pid))
            if any(title == " ".join(p.cmdline()).strip() for p in processes if p.is_running()):
                return
            time.sleep(0.02)
        raise AssertionError(title)

    def failure(self) -> tuple[str, str]:
        """Wait for an end that nobody asked for, and return its reason."""
        assert self.end() == 1
        record = read_record(self.settings.record_file)
        assert record is not None
        assert record.failure is not None
        return record.failure

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

    def run(
        commands: dict[str, list[str]],
        *flags: str,
        limit_s: float = 20,
        health: str = "healthy",
        max_ends: int = 4,
        **env: str,
    ) -> Runner:
        options = json.dumps({"limit_s": limit_s, "health": health, "max_ends": max_ends})
        process = subprocess.Popen(
            [sys.executable, "-c", RUNNER, json.dumps(commands), options, *flags],
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
    assert record.failure is None
    assert {c.state for c in record.components.values()} == {"ended"}


def test_sigint_ends_everything(start: Start) -> None:
    runner = start({"a": WAIT})
    runner.record(1)

    runner.process.send_signal(signal.SIGINT)

    assert runner.end() == 0


def test_one_that_dies_is_started_again_and_the_others_go_on(start: Start) -> None:
    runner = start({"a": WAIT, "b": WAIT})
    before = runner.healthy(2)

    os.kill(before["b"], signal.SIGKILL)

    record = runner.wait(lambda r: r.components["b"].restarts == 1)
    after = runner.healthy(2)
    assert (after["a"], after["b"] == before["b"]) == (before["a"], False)
    assert (record.components["b"].last_exit, record.components["a"].restarts) == (-9, 0)
    assert "b ended with code -9 (SIGKILL); it left nothing; starting it again in" in runner.log(
        "runner"
    )
    runner.process.terminate()
    assert runner.end() == 0


def test_what_a_dead_component_left_is_ended_before_its_restart(start: Start) -> None:
    child = "import subprocess, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"
    runner = start({"a": [sys.executable, "-c", child]})
    runner.healthy(1)
    record = runner.record(1, n_processes=2)
    left = [ProcessId(p.pid, p.create_time()) for p in session_processes(record.leaders()[:-1])]

    os.kill(runner.healthy(1)["a"], signal.SIGKILL)

    runner.wait(lambda r: r.components["a"].restarts == 1)
    assert [p for p in left if is_alive(p)] == []
    assert "ended 1 processes it left" in runner.log("runner")


def test_one_that_dies_again_and_again_ends_the_stack(start: Start) -> None:
    dies = [sys.executable, "-c", "import time; time.sleep(0.3); raise SystemExit(3)"]
    runner = start({"a": dies, "b": WAIT}, max_ends=3)

    name, reason = runner.failure()

    assert (name, reason) == ("a", "a ended with code 3; that was 3 times within 15 minutes")
    assert runner.log("runner").count("starting it again") == 2


def test_one_that_dies_before_it_was_healthy_ends_the_stack(start: Start) -> None:
    runner = start({"a": WAIT, "b": WAIT}, health="no answer")
    record = runner.record(2)
    process = record.components["b"].process
    assert process is not None

    os.kill(process.pid, signal.SIGKILL)

    assert runner.failure() == ("b", "b ended with code -9 (SIGKILL) before it was healthy")


def test_program_that_does_not_exist(start: Start) -> None:
    runner = start({"a": WAIT, "b": ["/nowhere/program"]})

    assert runner.failure() == ("b", "b ended with code 127 before it was healthy")
    assert "/nowhere/program cannot be started" in runner.log("b")


def test_one_that_hangs_is_ended_and_started_again(start: Start) -> None:
    runner = start({"a": STUBBORN, "b": WAIT})
    before = runner.healthy(2)
    silent = runner.settings.home / "silent"

    silent.write_text("a")
    runner.wait(lambda r: r.components["a"].state == "unhealthy")
    runner.wait(lambda r: r.components["a"].restarts == 1)
    silent.unlink()

    assert runner.healthy(2)["a"] != before["a"]
    assert "a killed after 0 s of silence (no answer)" in runner.log("runner")


@pytest.mark.parametrize("answer", ["cannot be asked", "metadata database unhealthy"])
def test_nobody_is_ended_for_what_another_one_does_not_say(start: Start, answer: str) -> None:
    # The time from its start is what a component without any good answer has.
    runner = start({"a": WAIT}, health=answer, MLOPS_READY_TIMEOUT_S="1")
    pid = runner.wait(lambda r: r.components["a"].detail == answer).components["a"].process

    time.sleep(1.5)

    record = read_record(runner.settings.record_file)
    assert record is not None
    assert (record.components["a"].process, record.components["a"].restarts) == (pid, 0)


def test_adopted_orphans_are_collected(start: Start) -> None:
    # A child of a child that has ended: nobody but the runner can collect it.
    orphan = "import os, time; os.fork() or os.fork() or os._exit(0); os.getppid(); time.sleep(0.2)"
    keeper = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {orphan!r}])"
    runner = start({"a": [sys.executable, "-c", f"{keeper}; print('over'); time.sleep(60)"]})
    runner.healthy(1)
    log = runner.settings.component_log("a")
    deadline = time.monotonic() + 10
    while not (log.exists() and "over" in log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "over" in log.read_text()
    time.sleep(0.5)

    states = [p.status() for p in descendants(psutil.Process(runner.process.pid))]

    assert psutil.STATUS_ZOMBIE not in states


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


def titled(name: str, seconds: float, before: str = "") -> list[str]:
    """Return a program that gives itself a title as Airflow's workers and tasks do."""
    code = f"""{before}
import setproctitle, time
setproctitle.setproctitle("airflow worker -- {name}")
time.sleep({seconds})"""
    return [sys.executable, "-c", code]


def test_tasks_of_a_dead_scheduler_finish_and_then_its_workers_end(start: Start) -> None:
    # As Airflow's: a task in a group of its own that holds the scheduler's output, and a worker
    # that would wait for ever.
    worker, task = titled("LocalExecutor: <idle>", 60), titled("some-id", 4)
    scheduler = (
        "import subprocess, time;"
        f"subprocess.Popen({worker!r}, process_group=0);"
        f"subprocess.Popen({task!r}, process_group=0); time.sleep(60)"
    )
    runner = start({"scheduler": [sys.executable, "-c", scheduler]})
    runner.record(1, n_processes=3)
    runner.titled("airflow worker -- some-id")
    runner.titled("airflow worker -- LocalExecutor: <idle>")
    first = runner.healthy(1)["scheduler"]

    os.kill(first, signal.SIGKILL)

    record = runner.wait(lambda r: bool(r.left_over))
    assert [leader.pid for leader in record.left_over] == [first]
    assert len(session_processes(record.left_over)) == 2
    runner.wait(lambda r: not r.left_over)
    assert session_processes(record.left_over) == []
    log = runner.log("runner")
    assert "tasks of it still run and are left to finish; starting it again" in log
    assert "the last task of an earlier scheduler is over; ended 1 processes" in log


def test_tasks_that_were_left_end_with_the_stack(start: Start) -> None:
    # Deaf to SIGTERM, and below it a shell in a session of its own.
    deaf = (
        "import signal, subprocess; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "subprocess.Popen(['sleep', '60'], start_new_session=True)"
    )
    task = titled("some-id", 60, deaf)
    scheduler = (
        f"import subprocess, time;subprocess.Popen({task!r}, process_group=0); time.sleep(60)"
    )
    runner = start({"scheduler": [sys.executable, "-c", scheduler]})
    runner.record(1, n_processes=3)
    runner.titled("airflow worker -- some-id")

    os.kill(runner.healthy(1)["scheduler"], signal.SIGKILL)
    runner.wait(lambda r: bool(r.left_over) and r.components["scheduler"].restarts == 1)
    runner.process.terminate()

    assert runner.end() == 0


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


def test_killed_runner_leaves_orphans_that_down_ends(start: Start) -> None:
    runner = start({"a": WAIT, "b": WAIT})
    record = runner.record(2)
    runner.process.kill()
    runner.process.wait()
    assert all(is_alive(leader) for leader in record.leaders()[:-1])

    ended, left = end_stack(runner.settings)

    assert left == 0
    assert ended >= 2
    runner.end()
    assert end_stack(runner.settings) == (0, 0)
