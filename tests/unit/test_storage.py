from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from mlops_tasks import storage
from mlops_tasks.storage import is_temporary, new_file, remove, replace_file

if TYPE_CHECKING:
    from pathlib import Path


def full(_handle: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_file_is_replaced_with_all_of_its_new_content(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    for content in (b"old and long", b"new"):
        replace_file(path, content)
        assert path.read_bytes() == content
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    replace_file(path, b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_what_a_killed_writer_leaves_has_a_name_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_tasks.storage.remove", lambda _: None)  # as if it was killed
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(tmp_path / "a.json", b"new")
    (left,) = tmp_path.iterdir()
    assert is_temporary(left)
    assert not is_temporary(tmp_path / "a.json")


def test_a_new_file_is_gone_if_it_could_not_be_written_or_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_file(tmp_path / "a") as path:
        path.write_bytes(b"whole")
    with pytest.raises(ZeroDivisionError), new_file(tmp_path / "b") as path:
        path.write_bytes(bytes([1 // 0]))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"), new_file(tmp_path / "c") as path:
        path.write_bytes(b"whole")
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_files_folders_and_what_is_gone_are_removed(tmp_path: Path) -> None:
    replace_file(tmp_path / "folder" / "deep" / "a", b"")
    replace_file(tmp_path / "b", b"")
    for name in ("folder", "b", "never"):
        remove(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "spec.py"
    assert storage.create_file(path, b"first")
    assert not storage.create_file(path, b"second")
    assert path.read_bytes() == b"first"
    assert [one.name for one in path.parent.iterdir()] == ["spec.py"]


def test_links_are_tried_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.try_links(tmp_path)
    assert not list(tmp_path.iterdir())

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    with pytest.raises(PermissionError):
        storage.try_links(tmp_path)
    assert not list(tmp_path.iterdir())
