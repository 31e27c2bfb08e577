"""The image and the scripts that make a deployment ready, without an engine."""

from __future__ import annotations

import json
import re
import runpy
import stat
import subprocess
from pathlib import Path

import pytest

from tests.quality.discovery import ROOT

DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def instructions(name: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return re.findall(rf"^{name}\s+(.+)$", joined, re.MULTILINE)


def test_base_images_are_pinned_and_of_one_python() -> None:
    bases = {base.partition(" ")[0] for base in instructions("FROM")}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", bases.pop())


def test_packages_come_from_the_constraints_compiled() -> None:
    installs = [run for run in instructions("RUN") if "uv pip install" in run]
    assert installs
    assert all("--constraint constraints.txt" in run or "--no-deps" in run for run in installs)
    assert any("UV_COMPILE_BYTECODE=1" in line for line in instructions("ENV"))


def test_nothing_is_fetched_and_run() -> None:
    assert not instructions("ADD")
    assert not re.search(r"curl|wget|apt-get|\| *sh\b", DOCKERFILE)


def test_the_last_user_is_not_root() -> None:
    assert instructions("USER")[-1] == "10001:10001"
    assert DOCKERFILE.rindex("USER ") > DOCKERFILE.rindex("RUN ")


def test_everything_copied_is_there_and_let_through() -> None:
    allowed = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    for line in instructions("COPY"):
        if line.startswith("--from"):
            continue
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source.removeprefix("./") in allowed, f"{source} is hidden by .dockerignore"


def test_cluster_extra_is_in_the_constraints() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    for package in ("celery==5.6.", "psycopg2-binary==", "asyncpg==", "redis=="):
        assert f"\n{package}" in pins
    for provider in ("celery", "redis"):
        assert f"\napache-airflow-providers-{provider}==" in pins


def test_password_file_is_private_and_replaced(tmp_path: Path) -> None:
    write = runpy.run_path(str(DEPLOY / "prepare_airflow.py"))["write_passwords"]
    target = tmp_path / "passwords.json"
    for password in ("first", "second"):
        write(target, password)
        assert json.loads(target.read_text(encoding="utf-8")) == {"admin": password}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("script", sorted((DEPLOY / "postgres").glob("*.sh")), ids=lambda p: p.name)
def test_shell_scripts_parse_and_stop_at_errors(script: Path) -> None:
    subprocess.run(["sh", "-n", str(script)], check=True)
    assert "set -eu" in script.read_text(encoding="utf-8")
