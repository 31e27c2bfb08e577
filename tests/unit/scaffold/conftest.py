"""Drafts of projects, with nobody to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import ScaffoldError
from mlops_tasks.scaffold import Answers, draft, locate, write_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tasks.scaffold import Draft
    from mlops_tasks.scaffold.answers import Question

    Make = Callable[..., Draft]


def nobody(question: Question) -> str:
    raise ScaffoldError(f"{question.text} {question.option} {', '.join(question.choices)}")


@pytest.fixture
def dags(tmp_path: Path) -> Path:
    """Return an empty folder of Dags, in a repository of its own."""
    folder = tmp_path / "repository" / "dags"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def make(dags: Path) -> Make:
    """Return what drafts and writes a project."""

    def made(source: Path | str, name: str = "late", **answers: Any) -> Draft:
        location = locate(str(source), f"{name}_source", lambda conn_id: None)
        found = draft(Answers(name, **answers), location, dags, ci="github", ask=nobody)
        write_files(found.files)
        return found

    return made
