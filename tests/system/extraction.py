"""What the tests of real sources share: a dataset, a wide result, a measured process."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.specs import DatasetSpec
from mlops_tasks.specs.source import SqlSource

if TYPE_CHECKING:
    from sqlalchemy import URL

DAY = "2024-03-01"

_MEASURED = """
import json, sys
from pathlib import Path
from sqlalchemy import make_url
from mlops_tasks.steps.ingest import ingest
from mlops_tasks.lake import Lake
from mlops_tasks.sources import Database
from tests.system.extraction import DAY, dataset
folder, url, query, columns = json.load(sys.stdin)
spec = dataset(Path(folder), query, columns=columns)
lake = Lake(Path(folder) / "lake")
result = ingest(spec, DAY, source=Database(make_url(url)), lake=lake, token=1)
# Not ru_maxrss: that counts what the parent process had when it started this one.
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print("RESULT", result.raw.n_rows, int(status["VmHWM"].split()[0]) // 1024)
"""


def dataset(folder: Path, source: Any, **changes: Any) -> DatasetSpec:
    """Return a dataset of orders; a text is a query."""
    folder.mkdir(parents=True, exist_ok=True)
    suite = folder / "orders.json"
    suite.write_text('{"name": "orders", "expectations": []}')
    if isinstance(source, str):
        source = SqlSource(conn_id="shop_source", query=source)
    fields: dict[str, Any] = {
        "name": "orders",
        "description": "Orders as they come in.",
        "source": source,
        "key": ("order_id",),
        "expectations": suite,
        "start": date(2024, 3, 1),
    }
    return DatasetSpec(**fields | changes)


def wide_query(dialect: str, n_rows: int) -> tuple[str, dict[str, str]]:
    """Return a query that gives this number of rows of 20 columns, and their contract."""
    number = {"postgresql": "n::float8", "mysql": "CAST(n AS double)"}[dialect]
    rows = {
        "postgresql": f"generate_series(1, {n_rows}) AS rows(n)",
        "mysql": f"(SELECT seq AS n FROM seq_1_to_{n_rows}) AS numbers",
    }[dialect]
    text = {"postgresql": "n::text", "mysql": "CAST(n AS char)"}[dialect]
    selected = [f"{text} AS order_id", f"md5({text}) AS hash"]
    selected += [f"n + {i} AS i{i}" for i in range(8)]
    selected += [f"{number} / {i + 1} AS f{i}" for i in range(10)]
    columns = {"order_id": "string", "hash": "string"}
    columns |= {f"i{i}": "int64" for i in range(8)} | {f"f{i}": "float64" for i in range(10)}
    return f"SELECT {', '.join(selected)} FROM {rows} WHERE :partition > ''", columns


def peak_memory_mb(folder: Path, url: URL, query: str, columns: dict[str, str], n_rows: int) -> int:
    """Ingest in a process of its own and return the most memory it ever had."""
    folder.mkdir()
    address = url.render_as_string(hide_password=False)
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED],
        input=json.dumps([str(folder), address, query, columns]),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    _, found, peak = line.split()
    assert int(found) == n_rows
    return int(peak)
