"""What the quality tests look at: found by walking the tree, never listed by hand."""

from __future__ import annotations

import ast
import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"

#: Package name to the folder that must be on the path for it.
PACKAGES = {"mlops_tasks": ROOT, "mlops_airflow": ROOT / "plugins", "demo": ROOT}

#: Libraries that cost seconds to import. Tasks get them preloaded; parsing must do without.
HEAVY = (
    "deltalake",
    "duckdb",
    "great_expectations",
    "mlflow",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "sklearn",
    "skops",
)

#: Variable, and the values that its reader takes for "off".
TELEMETRY_OFF: dict[str, set[str]] = {
    "MLFLOW_DISABLE_TELEMETRY": {"true"},
    "DO_NOT_TRACK": {"true"},  # MLflow compares with "true"; "1" would leave it on
    "GX_ANALYTICS_ENABLED": {"false"},
    "AIRFLOW__METRICS__STATSD_ON": {"False"},
    "AIRFLOW__METRICS__OTEL_ON": {"False"},
    "AIRFLOW__TRACES__OTEL_ON": {"False"},
}


def module_files(*packages: str) -> dict[str, Path]:
    """Return dotted name to file of every module of the packages."""
    found = {}
    for package in packages:
        base = PACKAGES[package]
        for path in sorted((base / package).rglob("*.py")):
            parts = path.relative_to(base).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def project_folders() -> list[Path]:
    """Return the model projects below dags/."""
    return sorted({path.parent for path in DAGS.glob("*/*.py")})


@functools.cache
def tree(path: Path) -> ast.Module:
    """Parse one file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported_modules(path: Path) -> set[str]:
    """Return every module a file names in an import, wherever it stands."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names


def listed_names(path: Path) -> tuple[str, ...]:
    """Return what a module's `__all__` lists, read from its text."""
    for node in tree(path).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return tuple(ast.literal_eval(node.value))  # type: ignore[attr-defined]
    return ()


def repository_files() -> list[Path]:
    """Return every file git tracks or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = {ROOT / name for name in listed.split("\0") if name}
    return sorted(path for path in paths if path.is_file())
