from __future__ import annotations

import subprocess
import sys

HEAVY = {"jinja2", "matplotlib", "numpy", "pandas", "pyarrow", "scipy", "sklearn"}


def test_the_package_is_cheap_to_import() -> None:
    """Steps import it at their top, and whatever parses Dags imports steps."""
    script = "import sys, mlops_tasks.drift; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "mlops_tasks.drift.detection" in loaded
    assert not loaded & HEAVY
