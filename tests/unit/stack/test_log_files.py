from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_airflow.stack.log_files import LogFiles, last_lines
from mlops_airflow.stack.redaction import Redactor

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from mlops_airflow.stack.settings import StackSettings


def test_full_file_is_put_aside(made_home: StackSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_airflow.stack.log_files._MAX_BYTES", 100)
    logs = LogFiles(made_home, Redactor([]))

    for n in range(20):
        logs.line("a", f"line number {n}\n")
    logs.close()

    assert made_home.component_log("a").read_text().endswith("line number 19\n")
    assert sorted(p.name for p in made_home.logs_folder.iterdir()) == ["a.log", "a.log.1"]


def test_last_lines(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("".join(f"line {n}\n" for n in range(1000)))

    assert last_lines(file, 2) == "line 998\nline 999"


def test_last_lines_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    assert last_lines(tmp_path / "empty") == "(nothing was written)"
    assert last_lines(tmp_path / "missing") == "(nothing was written)"
