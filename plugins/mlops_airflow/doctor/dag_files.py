"""What lies in the Dag folder that Airflow should not run, or walk through again and again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlops_airflow.doctor.finding import alarm, cannot_tell, fine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_airflow.doctor.finding import Finding

__all__ = ["dag_files"]

_SHOWN = 3


def dag_files() -> Iterator[Finding]:
    """Look at the files that Airflow takes for Dag files, in every local folder of Dags."""
    for folder in _folders():
        place = f"Dag folder {folder}"
        if not folder.is_dir():
            fix = "make it, or set [core] dags_folder or [dag_processor] dag_bundle_config_list"
            yield alarm("dag files", "there is no such folder", place, fix)
            continue
        files = _taken_for_dags(folder)
        tests = [
            file for file in files if file.name.startswith("test_") or file.name == "conftest.py"
        ]
        foreign = [file for file in files if {"site-packages", ".venv"} & set(file.parts)]
        if stray := [*tests, *foreign]:
            names = ", ".join(str(file.relative_to(folder)) for file in stray[:_SHOWN])
            fix = f"move them, or list them in {folder / '.airflowignore'}"
            yield alarm(
                "dag files", f"Airflow runs {len(stray)} that are none: {names}", place, fix
            )
        elif not files:
            yield cannot_tell("dag files", "holds no Dag file", place, "mlops new <model>")
        else:
            yield fine("dag files", f"{len(files)} Dag files", place)


def _folders() -> list[Path]:
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    bundles = DagBundlesManager().get_all_dag_bundles()  # type: ignore[no-untyped-call]
    return [Path(one.path) for one in bundles if type(one).__name__ == "LocalDagBundle"]


def _taken_for_dags(folder: Path) -> list[Path]:
    from airflow.utils.file import list_py_file_paths  # noqa: TID251 - as Airflow finds them

    return [Path(file) for file in list_py_file_paths(folder)]
