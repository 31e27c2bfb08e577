"""Virtual environments made anew: what is in them, what is kept, what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mlops_tasks.exceptions import ReproductionError
from mlops_tasks.registry.reproduction import Distribution, Environment
from mlops_tasks.registry.reproduction.environment import package_digest
from mlops_tasks.registry.reproduction.fresh_environment import FreshEnvironments
from mlops_tasks.registry.reproduction.processes import public_text, run_process
from mlops_tasks.registry.reproduction.retraining import _environment

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = "https://me:s3cret@index.example.com/simple/x.whl?token=1"


@pytest.fixture(scope="module")
def bare() -> Environment:
    """This one, nothing but the product's own sources installed."""
    return replace(Environment.of_this_process(), distributions=())


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")


def test_one_is_made_once_and_has_our_recorded_sources(bare: Environment, tmp_path: Path) -> None:
    environments = FreshEnvironments(tmp_path / "environments")
    assert not environments.has(bare)
    python = environments.python(bare)
    assert environments.has(bare)
    code = "import mlops_tasks.names as it, sys; print(it.__file__); print(sys.prefix)"
    env = {"PYTHONDONTWRITEBYTECODE": "1"}
    said = subprocess.run(
        [python, "-P", "-c", code], env=env, capture_output=True, text=True, check=True
    )
    place, prefix = said.stdout.splitlines()
    assert place.startswith(f"{prefix}/")
    assert prefix.startswith(str(tmp_path))
    started = time.monotonic()
    assert environments.python(bare) == python
    assert time.monotonic() - started < 1
    names = {one.name for one in (python.parent.parent / "lib").glob("*/site-packages/mlops_*")}
    assert names == {"mlops_tasks", "mlops_airflow"}


def test_another_record_is_another_environment(bare: Environment, tmp_path: Path) -> None:
    environments = FreshEnvironments(tmp_path)
    (tmp_path / "left").mkdir()  # by a process that was killed
    others = [replace(bare, own=bare.own | {"x": str(number)}) for number in range(4)]
    for number, other in enumerate(others):
        ready = environments.python(other).parent.parent / "ready"
        os.utime(ready, (number, number))
    assert [environments.has(other) for other in others] == [False, True, True, True]
    assert not (tmp_path / "left").exists()
    assert environments.has(replace(others[3], threads={"allowed": 1}, cpu=())), "same packages"


def test_other_sources_of_ours_are_refused(bare: Environment, tmp_path: Path) -> None:
    other = replace(
        bare,
        own={"mlops_tasks": "0" * 64},
        distributions=(Distribution("mlops-airflow", "0.0.1"),),
    )
    with pytest.raises(ReproductionError, match=r"0\.0\.1 with other sources") as info:
        FreshEnvironments(tmp_path).python(other)
    assert info.value.about == "environment"
    assert [path.name for path in tmp_path.iterdir()] == ["lock"], "nothing half-made stays"


def test_a_distribution_that_cannot_be_had_is_named(bare: Environment, tmp_path: Path) -> None:
    missing = replace(bare, distributions=(Distribution("no-such-thing-of-ours", "1"),))
    with pytest.raises(ReproductionError, match="no-such-thing-of-ours") as info:
        FreshEnvironments(tmp_path).python(missing)
    assert info.value.about == "environment"
    assert "://" not in str(info.value)


def test_a_python_that_is_not_here_is_named(bare: Environment, tmp_path: Path) -> None:
    with pytest.raises(ReproductionError, match=r"3\.2\.1"):
        FreshEnvironments(tmp_path).python(replace(bare, python="3.2.1"))


def test_our_digest_is_that_of_what_is_installed(bare: Environment) -> None:
    assert bare.own["mlops_tasks"] == package_digest("mlops_tasks")


# --- processes


def test_no_connection_and_no_login_gets_into_the_process(
    bare: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "AIRFLOW_CONN_LAKE",
        "MLFLOW_TRACKING_PASSWORD",
        "AWS_SECRET_ACCESS_KEY",
        "PYTHONPATH",
    ):
        monkeypatch.setenv(name, "s3cret")
    env = _environment(bare, tmp_path)
    assert "s3cret" not in " ".join(env.values())
    assert env["OMP_NUM_THREADS"] == str(bare.threads["openmp"])
    assert env["HOME"] == env["TMPDIR"] == str(tmp_path)


def test_what_a_program_writes_is_shown_without_addresses() -> None:
    text = public_text(f"Looking in indexes: {ADDRESS}\n\n  error: no version of x\n")
    assert text == "Looking in indexes: (address) error: no version of x"
    assert public_text(" \n") == "it wrote nothing"


def run(code: str, folder: Path, limit_s: float = 30.0) -> str:
    command = [sys.executable, "-c", code]
    return run_process(command, env={}, folder=folder, limit_s=limit_s, what="trying")


def test_a_process_that_fails_says_so(tmp_path: Path) -> None:
    assert run("print('hello')", tmp_path) == "hello\n"
    with pytest.raises(ReproductionError, match="trying failed: it is broken"):
        run("raise SystemExit('it is broken')", tmp_path)
    with pytest.raises(ReproductionError, match=r"trying: .*nowhere cannot be started"):
        run_process([str(tmp_path / "nowhere")], env={}, folder=tmp_path, limit_s=1, what="trying")


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


SLEEPER = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
with open("pids", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
time.sleep(60)
"""


def pids(folder: Path) -> list[int]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if (folder / "pids").exists() and (text := (folder / "pids").read_text()):
            return [int(pid) for pid in text.split()]
        time.sleep(0.05)
    raise AssertionError("it never began")


def test_at_its_limit_it_is_ended_with_all_that_it_has_started(tmp_path: Path) -> None:
    with pytest.raises(ReproductionError, match="trying took longer than 5 s and was stopped"):
        run(SLEEPER, tmp_path, limit_s=5)
    time.sleep(0.2)
    assert not any(alive(pid) for pid in pids(tmp_path))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from mlops_tasks.registry.reproduction.processes import run_process\n"
        f"run_process([sys.executable, '-c', {SLEEPER!r}], env={{}}, "
        f"folder=Path({str(tmp_path)!r}), limit_s=60, what='x')"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    (child, _) = pids(tmp_path)
    assert alive(child)
    parent.kill()
    parent.wait()
    time.sleep(0.3)
    assert not alive(child)
    subprocess.run(["kill", "-9", *map(str, pids(tmp_path))], check=False, capture_output=True)
