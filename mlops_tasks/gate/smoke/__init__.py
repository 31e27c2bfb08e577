"""The smoke test of a registered version: loaded and asked in a process that may die of it.

Modules: `queries` (rows that are valid, odd or wrong), `process` (loads the files and asks them,
run with ``python -m``), `running` (starts that process and reads what it says), `result`.
"""

from mlops_tasks.gate.smoke.result import SmokeQuery, SmokeTestResult
from mlops_tasks.gate.smoke.running import run_smoke_test

__all__ = ["SmokeQuery", "SmokeTestResult", "run_smoke_test"]
