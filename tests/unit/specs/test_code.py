"""The functions that a spec names are looked for, and not imported."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from mlops_tasks.exceptions import SpecError
from mlops_tasks.specs.code import check_code
from tests.unit.machines import project

if TYPE_CHECKING:
    from pathlib import Path

MODEL = """
import what_is_nowhere
from sklearn.pipeline import make_pipeline as pipe

if True:
    first, build_it = 1, lambda **options: None
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop_of_code"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "model.py").write_text(MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    return folder


@pytest.mark.parametrize("name", ["shop_of_code.model:build_it", "shop_of_code.model:pipe"])
def test_what_is_there_is_found_without_an_import(shop: Path, tmp_path: Path, name: str) -> None:
    check_code(project(tmp_path / "p", "day", estimator=name))
    assert "shop_of_code" not in sys.modules


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("shop_of_cod.model:build_it", "there is no package 'shop_of_cod'; it must be importable"),
        ("shop_of_code.modle:build_it", "no module 'shop_of_code.modle'; did you mean 'model'?"),
        ("shop_of_code.model.deeper:x", "no module 'shop_of_code.model.deeper'; there are none"),
        ("shop_of_code.model:build", "no function 'build' in it; did you mean 'build_it'?"),
    ],
)
def test_what_is_missing_is_named(shop: Path, tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(SpecError, match="model 'failing_machines': estimator ") as error:
        check_code(project(tmp_path / "p", "day", estimator=name))
    assert message in str(error.value)
    features = {"features_sql": None, "features_python": name}
    with pytest.raises(SpecError, match="features_python"):
        check_code(project(tmp_path / "p", "day", **features))


@pytest.mark.parametrize(
    "text", ["from sklearn.svm import *", "globals()['x'] = 1", "def __getattr__(name): ...", "(("]
)
def test_what_only_an_import_can_say_is_left_to_it(shop: Path, tmp_path: Path, text: str) -> None:
    (shop / "model.py").write_text(text)
    check_code(project(tmp_path / "p", "day", estimator="shop_of_code.model:build"))
