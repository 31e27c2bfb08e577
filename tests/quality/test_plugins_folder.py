"""Airflow executes every file below plugins/ under its bare name, unless it is shielded.

A nested ``hooks/mlflow.py`` would then replace the real ``mlflow``. The package is loaded by entry
point, and ``plugins/.airflowignore`` keeps the folder scan away from it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.quality.discovery import ROOT

SCRIPT = """
import json, sys
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
folder = sys.argv[1] + "/"
print("RESULT", json.dumps({
    "plugins": sorted(plugin.name for plugin in plugins),
    "errors": errors,
    "from_folder": sorted(
        name for name, module in sys.modules.items()
        if str(getattr(module, "__file__", None) or "").startswith(folder)
    ),
}))
"""


def load_plugins(folder: Path, home: Path) -> dict[str, list[str]]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
    env |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stderr[-2000:]
    result: dict[str, list[str]] = json.loads(lines[0].removeprefix("RESULT "))
    return result


def test_our_files_run_only_under_their_full_names(tmp_path: Path) -> None:
    loaded = load_plugins(ROOT / "plugins", tmp_path)
    assert not loaded["errors"]
    assert "mlops" in loaded["plugins"], "the entry point in pyproject.toml is not installed"
    bare = [name for name in loaded["from_folder"] if not name.startswith("mlops_airflow")]
    assert not bare, f"executed under a bare name: {bare}; see plugins/.airflowignore"


@pytest.mark.parametrize("shielded", [True, False])
def test_the_scan_is_real_and_the_shield_works(tmp_path: Path, shielded: bool) -> None:
    nested = tmp_path / "plugins" / "mlops_airflow" / "hooks"
    nested.mkdir(parents=True)
    (nested / "shadow_of_a_library.py").write_text("", encoding="utf-8")
    if shielded:
        shield = (ROOT / "plugins" / ".airflowignore").read_text(encoding="utf-8")
        (tmp_path / "plugins" / ".airflowignore").write_text(shield, encoding="utf-8")
    loaded = load_plugins(tmp_path / "plugins", tmp_path / "home")
    assert ("shadow_of_a_library" in loaded["from_folder"]) is not shielded
