from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mlops_tasks
from mlops_tasks.registry.artifacts import ENVIRONMENT
from mlops_tasks.registry.reproduction import Distribution, Environment
from mlops_tasks.registry.reproduction.distributions import installed_distributions
from mlops_tasks.registry.reproduction.environment import folder_digest, package_digest
from mlops_tasks.workers import THREADS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.conftest import World

PACK = """
import sys
from mlops_tasks.registry.reproduction import Environment
sys.stdout.buffer.write(Environment.of_this_process().packed())
"""
Add = "Callable[..., dict[str, Any]]"


@pytest.fixture(scope="module")
def here() -> Environment:
    return Environment.of_this_process()


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Add]:
    """Install a distribution without files, and return what is found of it."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(folder: str = "Some_Thing-1.2+local.dist-info", **files: str) -> dict[str, Any]:
        (tmp_path / folder).mkdir(exist_ok=True)
        for name, text in files.items():
            (tmp_path / folder / name.replace("_json", ".json")).write_text(text)
        installed_distributions.cache_clear()
        (found,) = [one for one in installed_distributions() if one["name"] == "some-thing"]
        return found

    yield install
    installed_distributions.cache_clear()


def test_it_names_every_distribution_python_and_processor(here: Environment) -> None:
    names = [one.name for one in here.distributions]
    assert names == sorted(set(names))
    for name in ("scikit-learn", "numpy", "mlops-airflow", "xgboost-cpu"):
        assert here.version(name) == version(name)
    assert here.version("nowhere") == ""
    assert (here.python, here.machine) == (platform.python_version(), platform.machine())
    assert here.cpu
    assert any(one.startswith("openblas") for one in here.blas)
    assert here.threads.keys() == {"allowed", "blas", "openmp"}


def test_the_file_is_the_same_in_another_process_and_folder(
    here: Environment, tmp_path: Path
) -> None:
    others = {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "PYTHONPATH": os.pathsep.join(sys.path)}
    (tmp_path / "empty").mkdir()
    other = subprocess.run(
        [sys.executable, "-c", PACK],
        env=os.environ | others,
        cwd=tmp_path / "empty",
        check=True,
        capture_output=True,
    ).stdout
    assert json.loads(other) == json.loads(here.packed())
    assert other == here.packed()
    assert here.digest == hashlib.sha256(other).hexdigest()


def test_it_is_read_back_as_it_was(here: Environment) -> None:
    assert Environment.restored(here.packed()) == here
    other = replace(here, distributions=(*here.distributions[1:], Distribution("zz", "2")))
    assert other.digest != here.digest


def test_it_holds_no_path_no_index_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    index = "https://me:s3cret-word@index.example.com/simple"
    monkeypatch.setenv("PIP_INDEX" + "_URL", index)
    monkeypatch.setenv("UV_DEFAULT" + "_INDEX", index)
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", "file://?password=s3cret-word")
    installed_distributions.cache_clear()
    text = Environment.of_this_process().packed().decode()
    for secret in (sys.prefix, str(Path.cwd()), "s3cret-word", "index.example.com", "file://"):
        assert secret not in text


def test_fewer_threads_are_another_environment(
    here: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "1")
    assert Environment.of_this_process().threads["allowed"] == 1


@pytest.mark.parametrize(
    ("direct_url", "found", "requirement"),
    [
        (
            {"url": "https://me:pw@example.com/a.git?x=1", "vcs_info": {"vcs": "git"}},
            {"url": "git+https://example.com/a.git", "commit": ""},
            "",
        ),
        (
            {
                "url": "https://example.com:8443/a.git",
                "vcs_info": {"vcs": "git", "commit_id": "abc"},
            },
            {"url": "git+https://example.com:8443/a.git", "commit": "abc"},
            "some-thing @ git+https://example.com:8443/a.git@abc",
        ),
        (
            {"url": "https://example.com/a.whl#x", "archive_info": {"hash": "sha256=12"}},
            {"url": "https://example.com/a.whl", "sha256": "12"},
            "some-thing @ https://example.com/a.whl#sha256=12",
        ),
        (
            {"url": "https://example.com/a.whl", "archive_info": {"hashes": {"sha256": "34"}}},
            {"url": "https://example.com/a.whl", "sha256": "34"},
            "some-thing @ https://example.com/a.whl#sha256=34",
        ),
        ({"url": "file:///data/me/a", "dir_info": {"editable": True}}, {"local": True}, ""),
        ({"url": "file:///data/me/a.whl", "archive_info": {}}, {"local": True}, ""),
    ],
)
def test_what_came_from_no_index_says_from_where(
    add: Callable[..., dict[str, Any]],
    direct_url: dict[str, Any],
    found: dict[str, Any],
    requirement: str,
) -> None:
    one = add(direct_url_json=json.dumps(direct_url))
    said = {name: one[name] for name in ("url", "commit", "sha256", "local") if name in one}
    assert said == {name: value for name, value in found.items() if value}
    assert one["version"] == "1.2+local"
    if requirement:
        assert Distribution(**one).requirement == requirement


def test_a_distribution_of_an_index_is_its_name_and_version(
    add: Callable[..., dict[str, Any]],
) -> None:
    assert Distribution(**add()).requirement == "some-thing==1.2+local"
    assert "url" not in add(direct_url_json="not json")


def test_an_egg_is_named_by_its_metadata(
    add: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path, ignore_errors=True)
    tmp_path.mkdir()
    (tmp_path / "x.egg-info").mkdir()
    found = add("x.egg-info", **{"PKG-INFO": "Name: Some.Thing\nVersion: 3\n"})
    assert found["version"] == "3"


def test_the_files_of_a_wheel_have_one_digest_whoever_installed_it(
    add: Callable[..., dict[str, Any]],
) -> None:
    ours = ["some_thing/a.py,sha256=1,10", "some_thing/b.so,sha256=2,20"]
    meta = "Some_Thing-1.2+local.dist-info"
    pip = [
        "../../../bin/tool,sha256=9,3",
        "some_thing/__pycache__/a.cpython-311.pyc,,",
        f"{meta}/INSTALLER,sha256=4,4",
        f"{meta}/direct_url.json,sha256=4,4",
        f"{meta}/RECORD,,",
    ]
    uv = [f"{meta}/INSTALLER,sha256=5,2", f"{meta}/uv_cache.json,sha256=6,2"]
    by_pip = add(RECORD="\n".join([*pip, *ours]))["files"]
    assert add(RECORD="\n".join([*reversed(ours), *uv]))["files"] == by_pip
    assert add(RECORD="\n".join([ours[0].replace("=1", "=3"), ours[1]]))["files"] != by_pip


def test_a_package_has_one_digest_wherever_it_lies(tmp_path: Path) -> None:
    folder = Path(mlops_tasks.__file__).parent
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
    assert folder_digest(copy) == package_digest("mlops_tasks")
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "new.cpython-311.pyc").write_bytes(b"x")
    assert folder_digest(copy) == package_digest("mlops_tasks")
    (copy / "names.py").write_text("# changed")
    assert folder_digest(copy) != package_digest("mlops_tasks")
    assert package_digest("no_such_package") == ""


def test_a_training_keeps_its_environment(world: World) -> None:
    content = world.tracking.read_artifact(world.champion, ENVIRONMENT)
    kept = Environment.restored(content)
    assert kept.version("scikit-learn") == version("scikit-learn")
    assert kept.digest == world.champion.artifacts[ENVIRONMENT]
    assert kept.own["mlops_tasks"] == package_digest("mlops_tasks")
