"""Start the process of a smoke test, and make a result of what it says, or of its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import UnavailableError
from mlops_tasks.gate.latency import Latency
from mlops_tasks.gate.smoke.result import SmokeQuery, SmokeTestResult
from mlops_tasks.registry.modelfiles.files import model_bytes
from mlops_tasks.registry.modelfiles.project_code import project_folder
from mlops_tasks.serialization import from_json
from mlops_tasks.specs import TableModel

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import EstimatorSpec

__all__ = ["read_result", "run_smoke_test"]

_MEMORY, _MEMORY_PER_BYTE = 4 * 2**30, 8
_CPU_S, _CPU_S_PER_MIB = 120, 2
_WALL_S_PER_CPU_S = 5  # for machines with more to do than processors
_SHOWN = 300
# Nothing that holds a secret, and no variable that changes what Python runs, but where it looks.
_PASSED_ON = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "PYTHONPYCACHEPREFIX")
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def run_smoke_test(
    spec: EstimatorSpec, version: RegisteredVersion, folder: Path, rows: pa.Table
) -> SmokeTestResult:
    """Load the files of a version in a process of its own, and ask them all kinds of rows.

    Parameters
    ----------
    spec : ModelSpec or TableModel
        What it is asked with.
    version : RegisteredVersion
        As the ledger has it.
    folder : Path
        Its files, as the registry gave them.
    rows : Table
        Valid rows of its features, at least one.

    Returns
    -------
    SmokeTestResult
        A process that dies has failed at the query that it was at.

    Raises
    ------
    UnavailableError
        If the process could not be started.
    """
    size = model_bytes(folder)
    cpu_s = _CPU_S + _CPU_S_PER_MIB * (size // 2**20)
    names = [str(name) for name in rows.column_names]
    place = project_folder(spec.package)
    order = {
        "folder": str(folder),
        "digest": version.digest,
        "model": _asked_with(spec),
        "hidden": spec.has_personal and any(spec.hides(name) for name in names),
        "places": [str(place)] if place else [],
        "memory": _MEMORY + _MEMORY_PER_BYTE * size,
        "cpu_s": cpu_s,
    }
    try:
        done = subprocess.run(
            (sys.executable, "-s", "-P", "-m", "mlops_tasks.gate.smoke.process"),
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ} | _ONE_THREAD,
            input=json.dumps(order).encode() + b"\n" + _packed(rows),
            capture_output=True,
            timeout=_WALL_S_PER_CPU_S * cpu_s,
            check=False,
        )
        said, died = done.stdout, _death(done.returncode, done.stderr, hidden=spec.has_personal)
    except OSError as error:
        raise UnavailableError(f"no process can be started for the smoke test: {error}") from error
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
        died = f"it kept its process busy for more than {_WALL_S_PER_CPU_S * cpu_s} s"
    return read_result(version, size, [json.loads(line) for line in said.splitlines()], died)


def _asked_with(spec: EstimatorSpec) -> dict[str, Any]:
    """Return what a prediction needs of a spec, as plain JSON."""
    return TableModel(
        name=spec.name,
        problem_type=spec.problem_type,
        table="smoke_test",
        target="y",
        categorical=spec.categorical,
        numeric=spec.numeric,
        text=spec.text,
        estimator=spec.estimator,
        threshold=spec.threshold,
    ).saved()


def _packed(rows: pa.Table) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue())


def _death(returncode: int, err: bytes, *, hidden: bool) -> str:
    """Say how a process ended, if it did not end well."""
    if returncode == 0:
        return ""
    if returncode < 0:
        return f"its process was ended by {signal.Signals(-returncode).name}"
    last = err.decode(errors="replace").strip().splitlines()[-1:]
    return f"its process failed: {' '.join(last)[:_SHOWN]}" if not hidden else "its process failed"


def read_result(
    version: RegisteredVersion, size: int, told: list[dict[str, Any]], died: str
) -> SmokeTestResult:
    """Make a result of what a process told, and of how it died if it did."""
    queries = [from_json(SmokeQuery, one) for one in told if "answer" in one]
    facts: dict[str, Any] = {}
    at = "the start of the process"
    for one in told:
        at = one.get("begins", at)
        facts |= {name: one[name] for name in ("load_s", "memory_bytes", "latency") if name in one}
    if died:
        queries.append(SmokeQuery(at, "failed", 0, died))
    failed = [query for query in queries if query.answer == "failed"]
    measured = facts.get("latency")
    return SmokeTestResult(
        version=version.version,
        run_id=version.run_id,
        digest=version.digest,
        passed=not failed,
        reason=_reason(queries, failed),
        queries=tuple(queries),
        load_s=facts.get("load_s"),
        model_bytes=size,
        memory_bytes=facts.get("memory_bytes"),
        latency=None if measured is None else from_json(Latency, measured),
    )


def _reason(queries: list[SmokeQuery], failed: list[SmokeQuery]) -> str:
    if failed:
        return "; ".join(f"{query.name}: {query.text}" for query in failed)
    n_passed = sum(query.answer == "passed" for query in queries)
    others = [f"{query.name}: {query.answer}" for query in queries if query.answer != "passed"]
    return "; ".join([f"{n_passed} of {len(queries)} queries passed", *others])
