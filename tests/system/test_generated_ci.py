"""The files for continuous integration that `mlops new` writes, step by step as they are written.

A repository with a new project is cloned into an empty folder, and every command of the file is run
there by the shell that would run it, with an empty home, in a fresh environment: `pip install`
finds the built wheel where an index would have it. What the service itself does (checkout, Python)
stands for the clone and the environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.quality.discovery import ROOT
from tests.system.bare import bare_environment, build_wheel, run
from tests.unit.scaffold.worlds import orders

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "AIRFLOW_CONN_LATE_SOURCE"
BY_THE_SERVICE = ("actions/checkout", "actions/setup-python")


@dataclass(frozen=True)
class Job:
    """What a file makes of a push."""

    variables: dict[str, str]
    commands: list[str]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a machine that has Python, git and nothing else."""
    folder = tmp_path_factory.mktemp("machine")
    build_wheel(folder)
    run(sys.executable, "-m", "venv", folder / "venv")
    (folder / "home").mkdir()
    env = bare_environment(folder / "home")
    del env["AIRFLOW_HOME"]
    path = os.pathsep.join((str(folder / "venv" / "bin"), os.environ["PATH"]))
    # An index with the release, and Airflow's advice to install by what is pinned.
    index = {"PIP_FIND_LINKS": str(folder), "PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
    return env | index | {"PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return orders(tmp_path_factory.mktemp("source") / "shop.db", n_days=40)


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_every_command_works_as_it_is_written(
    kind: str, fresh: dict[str, str], source: Path, tmp_path: Path
) -> None:
    checkout = _cloned(kind, fresh, source, tmp_path)
    job = _job(kind, checkout)
    # The environment that the branch names has the connection as its secret.
    secret = {SECRET: json.dumps({"conn_type": "sqlite", "host": str(source)})}
    assert job.commands[0] == "pip install 'mlops-airflow' pytest ruff"
    done = [_shell(command, checkout, fresh | job.variables | secret) for command in job.commands]
    shown = "\n".join(done)
    assert "is the champion" in shown
    assert "1 file already formatted" in shown or "files already formatted" in shown
    assert "passed" in shown
    home = [path for path in (tmp_path.parent, checkout) if (path / "airflow.cfg").exists()]
    assert not home


def _cloned(kind: str, fresh: dict[str, str], source: Path, folder: Path) -> Path:
    """Start a model in a repository, as a person would, commit it, and clone it."""
    repository, checkout = folder / "repository", folder / "checkout"
    (repository / "dags").mkdir(parents=True)
    git = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@localhost")
    run("git", "init", "-q", "-b", "main", repository)
    run(sys.executable, "-m", "mlops_airflow.cli", "new", "late", "--source", source,
        "--target", "late", "--ci", kind, env=_of_a_person(folder), cwd=repository)  # fmt: skip
    run(*git, "add", "dags", f".{kind}", *([".gitlab-ci.yml"] if kind == "gitlab" else []),
        cwd=repository)  # fmt: skip
    run(*git, "commit", "-q", "-m", "Start the model late", cwd=repository)
    run("git", "clone", "-q", repository, checkout, env=fresh)
    return checkout


def _of_a_person(folder: Path) -> dict[str, str]:
    env = bare_environment(folder / "person")
    del env["AIRFLOW_HOME"]
    return env


def _job(kind: str, checkout: Path) -> Job:
    if kind == "github":
        return _of_github(yaml.safe_load((checkout / ".github/workflows/late.yml").read_text()))
    main = yaml.safe_load((checkout / ".gitlab-ci.yml").read_text())
    assert main == {"include": [{"local": ".gitlab/*.yml"}]}
    return _of_gitlab(yaml.safe_load((checkout / ".gitlab/late.yml").read_text()))


def _of_github(file: dict[Any, Any]) -> Job:
    (job,) = file["jobs"].values()
    variables = dict(job["env"])
    assert variables.pop(SECRET) == "${{ secrets." + SECRET + " }}"
    assert job["environment"] == "${{ github.ref_name == 'main' && 'production' || 'staging' }}"
    service = [step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step]
    assert tuple(service) == BY_THE_SERVICE
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert "${{" not in "".join([*commands, *variables.values()])
    return Job(variables, commands)


def _of_gitlab(file: dict[str, Any]) -> Job:
    job = file["late"]
    stages = {rule["if"]: rule["variables"]["STAGE"] for rule in job["rules"]}
    assert stages == {'$CI_COMMIT_BRANCH == "main"': "production", "$CI_COMMIT_BRANCH": "staging"}
    return Job(dict(job["variables"]), list(job["script"]))


def _shell(command: str, folder: Path, env: dict[str, str]) -> str:
    """Run what a step says as GitHub and GitLab do, to its good end."""
    shell = ("bash", "-e", "-o", "pipefail", "-c", command)
    done = subprocess.run(
        shell, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=1800
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr
