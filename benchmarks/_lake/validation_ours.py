"""One validation by this project; see `fresh.in_fresh_process`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

# Loaded before the clock starts, as in the tasks' fork server.
import deltalake
import great_expectations.expectations as gxe
import jinja2
import pyarrow.compute
import pyarrow.dataset
import pyarrow.parquet

from benchmarks._lake.fresh import clocked
from benchmarks._lake.validation_orders import RAW, dataset
from mlops_tasks.lake import Lake, PartitionVersion
from mlops_tasks.steps.validate import validate
from mlops_tasks.validation import load_suite
from mlops_tasks.validation.examination import examine
from mlops_tasks.validation.gx import GreatExpectations
from mlops_tasks.validation.partition_rows import MEMORY_VARIABLE, PartitionRows

PRELOADED = (deltalake, gxe, jinja2, pyarrow.compute, pyarrow.dataset, pyarrow.parquet)


def main() -> None:
    """Validate as the standard input says: the whole step, or its judging alone."""
    arguments = json.load(sys.stdin)
    folder = Path(arguments["folder"])
    os.environ[MEMORY_VARIABLE] = arguments["memory"]
    spec, lake = dataset(folder), Lake(folder / "lake")
    day = arguments["day"]
    (commit,) = lake.table(RAW).commits(first=day, last=day)
    raw = PartitionVersion(RAW, day, commit.version, commit.n_rows, commit.digest)
    # What Great Expectations makes once per process, the peer has made too.
    _ = GreatExpectations().context
    with clocked() as facts:
        if arguments["whole_step"]:
            result = validate(spec, raw, lake=lake, token=2)
            facts |= {"n_bad": result.n_quarantined, "n_good": result.published.n_rows}
            facts["n_chunks"] = result.n_chunks
        else:
            suite = load_suite(spec.expectations, spec.columns)
            rows = PartitionRows.within_memory(lake.table(RAW), commit)
            facts["n_bad"] = examine(spec, suite, rows).flags.n_flagged


if __name__ == "__main__":
    main()
