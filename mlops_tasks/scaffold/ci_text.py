"""Continuous integration of a project: code, data and model, for each branch its environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.scaffold.plan import Plan

__all__ = ["CI", "ci_files", "repository_of"]

CI = Literal["github", "gitlab"]

_GITHUB = """name: {model}

on:
  push:
    branches: [main, staging]
    paths: ["{dags}/{model}/**"]
  pull_request:
    paths: ["{dags}/{model}/**"]

jobs:
  check:
    runs-on: ubuntu-latest
    # The branch says whose data are looked at: its environment has the connection.
    environment: ${{{{ github.ref_name == 'main' && 'production' || 'staging' }}}}
    env:
      {variable}: ${{{{ secrets.{variable} }}}}
      MLOPS_DAGS_FOLDER: {dags}
      PYTHONPATH: {dags}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: {install}
      - name: Check the code
        run: |
          ruff check {dags}/{model}
          ruff format --check {dags}/{model}
          pytest {dags}/{model}
      - name: Check the data
        run: mlops check {model}
      - name: Check the model
        run: mlops try {model}
"""
_GITLAB = """{model}:
  image: python:3.12
  rules:
    - if: $CI_COMMIT_BRANCH == "main"
      changes: [{dags}/{model}/**/*]
      variables: {{STAGE: production}}
    - if: $CI_COMMIT_BRANCH
      changes: [{dags}/{model}/**/*]
      variables: {{STAGE: staging}}
  # The branch says whose data are looked at: its environment has {variable}.
  environment: $STAGE
  variables:
    MLOPS_DAGS_FOLDER: {dags}
    PYTHONPATH: {dags}
  script:
    - {install}
    # The code
    - ruff check {dags}/{model}
    - ruff format --check {dags}/{model}
    - pytest {dags}/{model}
    # The data
    - mlops check {model}
    # The model
    - mlops try {model}
"""
# Extras of the package with the driver of a source, by its type of connection.
_DRIVERS = ("mysql", "postgres")
_GITLAB_MAIN = """include:
  - local: .gitlab/*.yml
"""


def repository_of(dags: Path) -> Path:
    """Return the root of the repository that a folder is in, else the folder above it."""
    above = (dags, *dags.parents)
    return next((one for one in above if (one / ".git").exists()), dags.parent)


def ci_files(plan: Plan, dags: Path, kind: CI) -> dict[Path, str]:
    """Return the files of a kind of continuous integration, by their paths."""
    root = repository_of(dags)
    values = {
        "model": plan.model,
        "dags": dags.relative_to(root).as_posix(),
        "variable": f"AIRFLOW_CONN_{plan.connection.conn_id.upper()}",
        "install": _install(root, plan.connection.conn_type),
    }
    if kind == "github":
        path = root / ".github" / "workflows" / f"{plan.model}.yml"
        return {path: _GITHUB.format(**values)}
    main = root / ".gitlab-ci.yml"
    texts = {root / ".gitlab" / f"{plan.model}.yml": _GITLAB.format(**values)}
    return texts if main.exists() else {main: _GITLAB_MAIN, **texts}


def _install(root: Path, conn_type: str) -> str:
    if (root / "requirements.txt").is_file():
        return "pip install -r requirements.txt"
    if (root / "constraints.txt").is_file() and (root / "pyproject.toml").is_file():
        return "pip install -c constraints.txt -e '.[dev]'"
    driver = f"[{conn_type}]" if conn_type in _DRIVERS else ""
    return f"pip install 'mlops-airflow{driver}' pytest ruff"
