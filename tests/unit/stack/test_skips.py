"""What `tests/conftest.py` does to a skipped test on CI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[2] / "conftest.py"

TESTS = {
    "test_one.py": "import pytest\ndef test_a(): pytest.skip('needs chromium: install it')\n",
    "test_two.py": "import pytest\npytest.skip('needs redis', allow_module_level=True)\n",
    "test_three.py": "import pytest\n@pytest.mark.xfail\ndef test_c(): assert False\n",
}


@pytest.mark.parametrize(
    ("required", "code", "summary"),
    [("0", 0, "2 skipped, 1 xfailed"), ("1", 1, "1 failed, 1 xfailed, 1 error")],
)
def test_skip_is_a_failure_where_all_is_required(
    tmp_path: Path, required: str, code: int, summary: str
) -> None:
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for name, text in TESTS.items():
        (tmp_path / name).write_text(text)

    result = subprocess.run(
        [sys.executable, "-m", "pytest", "--continue-on-collection-errors", "-rA"],
        cwd=tmp_path,
        env=os.environ | {"MLOPS_REQUIRE_ALL": required},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == code, result.stdout
    assert summary in result.stdout
    assert "needs chromium: install it" in result.stdout
    assert "needs redis" in result.stdout
