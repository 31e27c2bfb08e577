"""What the repository's files must not say, whatever they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.quality.discovery import ROOT, repository_files

#: Written in parts, so that this file keeps its own rule.
INDEX_ADDRESSES = [
    "--" + "index-url",
    "--extra-" + "index-url",
    "--default-" + "index",
    "--find-" + "links",
    "index-" + "strategy",
    "UV_" + "INDEX",
    "PIP_" + "INDEX_URL",
    "[[tool.uv." + "index",
    "pypi.org/" + "simple",
    "files." + "pythonhosted",
    "/artifactory/" + "api",
]
HOME_FOLDERS = re.compile(r"(?<![\w.$}~-])/(root|home|Users)/" + r"\w")


def texts() -> list[Path]:
    return [path for path in repository_files() if b"\0" not in path.read_bytes()]


@pytest.mark.parametrize("address", INDEX_ADDRESSES)
def test_no_file_names_a_package_index(address: str) -> None:
    named = [p for p in texts() if address.lower() in p.read_text(encoding="utf-8").lower()]
    assert not named, f"{[str(p.relative_to(ROOT)) for p in named]} name an index: {address}"


def test_no_file_names_a_path_of_one_machine() -> None:
    here = re.escape(f"{ROOT.as_posix()}/") if len(ROOT.parts) > 2 else r"(?!)"
    pattern = re.compile(f"{HOME_FOLDERS.pattern}|{here}")
    named = [
        f"{path.relative_to(ROOT)}: {found.group()}"
        for path in texts()
        if (found := pattern.search(path.read_text(encoding="utf-8")))
    ]
    assert not named, named


def test_constraints_pin_every_line() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    loose = [line for line in lines if not re.match(r"[a-z0-9._-]+==\S+", line)]
    assert not loose, f"not an exact pin: {loose}"


def test_files_that_begin_first_are_named_as_they_are_called(
    pytestconfig: pytest.Config,
) -> None:
    conftest = ROOT / "tests/conftest.py"
    longest = pytestconfig.pluginmanager.get_plugin(str(conftest)).LONGEST  # type: ignore[union-attr]
    assert longest
    assert not [file for file in longest if not (ROOT / "tests" / file).exists()]


def test_generated_state_is_ignored() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {".env", ".venv/", ".mlops/"} <= set(ignored), "secrets and state stay out of git"
