"""Examples in docstrings say what the code does, in every package."""

from __future__ import annotations

import doctest
import importlib

import pytest

from tests.quality.discovery import module_files

FILES = module_files("mlops_tasks", "mlops_airflow", "demo")
WITH_EXAMPLES = [name for name, path in FILES.items() if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_in_docstrings(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    result = doctest.testmod(importlib.import_module(name), optionflags=flags)
    assert result.attempted, "the examples were not found"
    assert not result.failed, capsys.readouterr().out
