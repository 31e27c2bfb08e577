"""Temporary folders: whose they are, and which of them nobody uses any more."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mlops_tasks.exceptions import MlopsError
from mlops_tasks.scratch import abandoned, owner_prefix, scratch, scratch_root


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def named_for(pid: int, *, started: float, machine: str = "") -> Path:
    machine = machine or owner_prefix().name.partition(".")[0]
    folder = scratch_root() / f"{machine}.{pid}.{started:.0f}.abc"
    folder.mkdir()
    return folder


def test_every_temporary_file_goes_into_the_folder_and_with_it(tmp_path: Path) -> None:
    outside = tempfile.gettempdir()
    with scratch() as folder:
        inside = [Path(tempfile.mkdtemp(prefix="model-"))]
        with tempfile.NamedTemporaryFile(delete=False) as file:
            inside.append(Path(file.name))
        said = subprocess.run(
            [sys.executable, "-c", "import tempfile; print(tempfile.mkdtemp())"],
            capture_output=True,
            text=True,
            check=True,
        )
        inside.append(Path(said.stdout.strip()))
        assert [path.parent for path in inside] == [folder] * 3
        assert folder.parent == scratch_root()
    assert not folder.exists()
    assert tempfile.gettempdir() == outside
    assert "TMPDIR" not in os.environ or os.environ["TMPDIR"] != str(folder)


def test_one_inside_another_is_beside_it() -> None:
    with scratch() as outer, scratch() as inner:
        assert inner.parent == outer.parent == scratch_root()


def test_the_root_is_for_this_user_alone() -> None:
    assert scratch_root().stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("trap", ["a link", "open to all", "a file"])
def test_a_root_that_somebody_else_prepared_is_refused(tmp_path: Path, trap: str) -> None:
    root = tmp_path / f"mlops-{os.getuid()}"
    if trap == "a link":
        (tmp_path / "elsewhere").mkdir()
        root.symlink_to(tmp_path / "elsewhere")
    elif trap == "open to all":
        root.mkdir()
        root.chmod(0o777)
    else:
        root.touch()
    with pytest.raises(MlopsError, match=r"mlops-\d+ is not a folder .*; remove it"):
        scratch_root()


def test_what_the_living_use_is_not_abandoned() -> None:
    with scratch():
        assert abandoned() == []


def test_what_a_dead_process_left_is() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    folder = named_for(process.pid, started=1000)
    assert abandoned() == [folder]


def test_a_process_with_the_number_of_a_dead_one_is_another() -> None:
    mine = owner_prefix().name.split(".")
    folder = named_for(os.getpid(), started=float(mine[2]) - 3600)
    assert abandoned() == [folder]


def test_a_clock_that_was_set_ends_nobody() -> None:
    mine = owner_prefix().name.split(".")
    named_for(os.getpid(), started=float(mine[2]) - 2)
    assert abandoned() == []


def test_another_machine_is_judged_by_age() -> None:
    fresh = named_for(1, started=1, machine="00000000")
    old = named_for(2, started=1, machine="00000000")
    os.utime(old, (0, 0))
    assert abandoned() == [old]
    assert fresh.exists()


def test_what_has_another_name_is_not_ours() -> None:
    (scratch_root() / "killed").mkdir()
    (scratch_root() / "notes").touch()
    assert abandoned() == []
