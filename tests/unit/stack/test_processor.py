from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mlops_airflow.stack.processor import CPU_INFO, numeric_environment

if TYPE_CHECKING:
    from pathlib import Path

ZEN_4 = """\
processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
flags\t\t: fpu avx2 avx512f avx512_vbmi2
TLB size\t: 3584 4K pages

processor\t: 1
vendor_id\t: AuthenticAMD
cpu family\t: 25
flags\t\t: fpu avx2 avx512f avx512_vbmi2
"""


@pytest.mark.parametrize(
    ("text", "is_slow"),
    [
        (ZEN_4, True),
        (ZEN_4.replace("avx512f", "sse"), False),  # Zen 3
        (ZEN_4.replace(": 25", ": 26"), False),  # Zen 5
        (ZEN_4.replace("AuthenticAMD", "GenuineIntel"), False),
        ("BogoMIPS : 50.00\nFeatures : fp asimd\n", False),  # ARM
        ("", False),
    ],
)
def test_avx_512_is_left_alone_where_it_is_slow(tmp_path: Path, text: str, is_slow: bool) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    env = numeric_environment(tmp_path / "cpuinfo")
    assert ("NPY_DISABLE_CPU_FEATURES" in env) is is_slow


def test_an_unknown_machine_gets_no_processor_setting(tmp_path: Path) -> None:
    known = {"ARROW_DEFAULT_MEMORY_POOL", "MALLOC_ARENA_MAX"}
    assert numeric_environment(tmp_path / "missing").keys() == known


def test_numpy_and_arrow_understand_their_variables() -> None:
    """A name that NumPy does not know, or that this machine lacks, is a warning on import."""
    code = (
        "import numpy, pyarrow; print(pyarrow.default_memory_pool().backend_name, "
        "numpy._core._multiarray_umath.__cpu_features__['X86_V4'])"
    )
    env = numeric_environment(CPU_INFO)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pool, has_avx_512 = done.stdout.split()
    assert pool == "system"
    assert "NPY_DISABLE_CPU_FEATURES" not in env or has_avx_512 == "False"
