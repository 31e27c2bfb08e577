"""Change the code that decides, one place at a time, and see whether a test notices.

``make mutate`` does it for every module below, ``make mutate MODULE=policy`` for one. Each is
copied to a folder of its own and tried by mutmut with the quick tests that concern it. A mutant
that no test notices must be killed by a new test or explained in ``survivors.md``. Lines that are
nothing but prose, a part of a message, are not changed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT, HERE = Path(__file__).parents[2], Path(__file__).parent
WORK = ROOT / ".mutation"

#: Sources and the tests that concern them, as mutmut wants them.
MODULES = {
    "evaluation": (
        [
            "mlops_tasks/steps/evaluate.py",
            "mlops_tasks/gate/verdict.py",
            *(f"mlops_tasks/problem_types/{name}.py" for name in ("binary/metrics", "importance")),
        ],
        [
            "tests/unit/steps/test_evaluate*.py",
            "tests/unit/gate/test_*.py",
            "tests/unit/problem_types/binary/test_*.py",
            "tests/unit/problem_types/test_importance.py",
        ],
    ),
    "gate": (
        [
            f"mlops_tasks/gate/{name}.py"
            for name in ("comparisons", "criteria", "fairness", "holm", "limits", "plan", "slices")
        ],
        ["tests/unit/gate/test_*.py"],
    ),
    "watch_window": (
        [
            "mlops_tasks/gate/sequential.py",
            "mlops_tasks/registry/watch_window.py",
            "mlops_tasks/steps/compare.py",
        ],
        [
            "tests/unit/gate/test_sequential.py",
            "tests/unit/registry/test_watch_window.py",
            "tests/unit/steps/test_compare.py",
        ],
    ),
    "metrics": (
        [
            f"mlops_tasks/problem_types/metrics/{name}.py"
            for name in ("decisions", "means", "ranking", "resampling", "row_values", "statistic")
        ]
        + ["mlops_tasks/problem_types/calibration.py", "mlops_tasks/problem_types/costs.py"],
        [
            "tests/unit/problem_types/test_calibration.py",
            "tests/unit/problem_types/test_costs.py",
            *(
                f"tests/unit/problem_types/metrics/test_{name}.py"
                for name in ("extra_rows", "intervals", "values")
            ),
        ],
    ),
    "policy": (
        [
            "mlops_tasks/policy/conditions.py",
            "mlops_tasks/policy/evidence.py",
            "mlops_tasks/steps/decide.py",
        ],
        ["tests/unit/policy/test_*.py", "tests/unit/steps/test_decide.py"],
    ),
    "ledger": (
        [
            f"mlops_tasks/registry/ledger/{name}.py"
            for name in ("database", "ledger", "statements", "upgrading")
        ],
        ["tests/unit/registry/test_ledger*.py"],
    ),
    "registration": (
        ["mlops_tasks/registry/champions.py"]
        + [f"mlops_tasks/steps/{name}.py" for name in ("adopt", "promote", "register")],
        ["tests/unit/registry/test_champions.py"]
        + [f"tests/unit/steps/test_{name}.py" for name in ("adopt", "promote", "register")],
    ),
    "modelfiles": (
        ["mlops_tasks/registry/modelfiles/*"],
        ["tests/unit/registry/test_modelfiles*.py"],
    ),
    "monitoring": (
        ["mlops_tasks/steps/monitor.py", "mlops_tasks/monitoring/*"],
        ["tests/unit/monitoring/test_*.py", "tests/unit/steps/test_monitor*.py"],
    ),
    "drift": (
        [
            f"mlops_tasks/drift/{name}.py"
            for name in ("alarm_rule", "day_effects", "decision", "effects")
        ],
        [
            f"tests/unit/drift/test_{name}.py"
            for name in ("alarm_rule", "day_effects", "decision", "effects")
        ],
    ),
    "leaks": (
        ["mlops_tasks/features/leaks/*", "mlops_tasks/gate/leaks.py"],
        [
            "tests/unit/features/leaks/test_*.py",
            "tests/unit/gate/test_leaks.py",
            "tests/unit/steps/test_leaks.py",
        ],
    ),
    "scoring": (
        ["mlops_tasks/steps/score.py", "mlops_tasks/features/categories.py"],
        ["tests/unit/steps/test_score*.py"],
    ),
}

#: Modules that hardly a test reaches without a world in MLflow's store.
WITH_WORLD = {"monitoring"}

#: A line of a plain string of three words or more. Words in braces belong to an f-string: code.
_PROSE = r"""^\s*"[^"{}]*\w [^"{}]*\w [^"{}]*"[),]*$"""

#: Each mutant is tried in a fork, in which threads of the libraries would wait for ever.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

_CONFIG = """
[tool.mutmut]
source_paths = ["mlops_tasks"]
only_mutate = {sources}
also_copy = ["plugins", "dags"]
do_not_mutate_patterns = [{prose}]
pytest_add_cli_args = ["-p", "no:xdist", "-p", "no:cacheprovider", "-p", "tests.mutation.{plugin}"]
pytest_add_cli_args_test_selection = {tests}
track_dependencies = false
use_git_change_detection = false
"""


def main(names: list[str]) -> int:
    """Try the modules named, or all; return 1 if a survivor is not explained."""
    if unknown := sorted(set(names) - set(MODULES)):
        sys.exit(f"no such module {unknown}; there are {', '.join(MODULES)}")
    explained, open_ones = (HERE / "survivors.md").read_text(), 0
    for name in names or MODULES:
        folder = _copy(name)
        log = folder / "mutmut.log"
        with log.open("w") as output:
            _mutmut(folder, "run", "--max-children", "2", stdout=output)
        counts, survivors = _outcome(folder)
        left = [each for each in survivors if f"`{each[1]}`" not in explained]
        _say(f"{name}: {_score(counts)}, {len(survivors) - len(left)} explained; log {log}")
        for mutant, after in left:
            _say(f"  {mutant}\n    {after}")
        open_ones += len(left)
    return 1 if open_ones else 0


def _copy(name: str) -> Path:
    """Copy what the tests of a module need; earlier results of it go."""
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    junk = shutil.ignore_patterns("__pycache__")
    for part in ("mlops_tasks", "plugins", "dags", "tests/unit", "tests/mutation"):
        shutil.copytree(ROOT / part, folder / part, ignore=junk)
    shutil.copy(ROOT / "tests/conftest.py", folder / "tests")
    sources, patterns = MODULES[name]
    if gone := [each for each in (*sources, *patterns) if not any(folder.glob(each))]:
        sys.exit(f"{name} names files that do not exist: {', '.join(gone)}; correct MODULES")
    tests = [
        str(path.relative_to(folder)) for each in patterns for path in sorted(folder.glob(each))
    ]
    config = _CONFIG.format(
        sources=json.dumps(sources),
        tests=json.dumps(tests),
        prose=json.dumps(_PROSE),
        plugin="shared_world" if name in WITH_WORLD else "quick",
    )
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + config)
    return folder


def _mutmut(folder: Path, *arguments: str, stdout: object = subprocess.PIPE) -> str:
    command = [sys.executable, "-m", "mutmut", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | _ONE_THREAD,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout or ""


def _outcome(folder: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Count mutants by what became of them, and list those that live with the changed line."""
    counts: dict[str, int] = {}
    untested: dict[str, int] = {}
    survivors = []
    for line in _mutmut(folder, "results", "--all", "true").splitlines():
        if found := re.fullmatch(r"\s*(\S+__mutmut_\d+): (.+)", line):
            counts[found[2]] = counts.get(found[2], 0) + 1
            if found[2] == "no tests":
                name = found[1].partition("__mutmut_")[0]
                untested[name] = untested.get(name, 0) + 1
            elif found[2] != "killed":  # whoever takes too long may have been slow to pass
                changed = re.findall(
                    r"^\+(?!\+\+)\s*(.*)$", _mutmut(folder, "show", found[1]), re.M
                )
                survivors.append((found[1], " ".join(changed)))
    # Of a function that no quick test calls, one line says as much as all of its mutants.
    survivors += [(name, f"no quick test calls it: {n} mutants") for name, n in untested.items()]
    return counts, survivors


def _score(counts: dict[str, int]) -> str:
    n_mutants = sum(counts.values())
    share = counts.get("killed", 0) / n_mutants if n_mutants else 0.0
    rest = ", ".join(f"{number} {what}" for what, number in sorted(counts.items()))
    return f"{share:.1%} of {n_mutants} mutants killed ({rest})"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
