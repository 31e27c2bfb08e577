from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from mlops_tasks.atomic_files import replace_file

if TYPE_CHECKING:
    from pathlib import Path


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

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]
