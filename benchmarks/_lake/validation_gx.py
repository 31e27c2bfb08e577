"""One validation by Great Expectations alone; see `fresh.in_fresh_process`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.data_context.types.base import ProgressBarsConfig

from benchmarks._lake.fresh import clocked
from benchmarks._lake.validation_orders import COLUMNS, DAY, RAW
from mlops_tasks.lake import Lake
from mlops_tasks.validation import load_suite

PRELOADED = (gxe,)


def main() -> None:
    """Validate the frame as its documentation says, in the default result format."""
    folder = Path(json.load(sys.stdin)["folder"])
    frame = Lake(folder / "lake").table(RAW).read(first=DAY, last=DAY).to_pandas()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("orders")
    # A day as a limit would be an error to it: it gets the limits as our suite has corrected them.
    wanted = load_suite(folder / "orders.json", COLUMNS).expectations
    items = [{"type": e.kind, "kwargs": e.kwargs, "severity": e.severity} for e in wanted]
    suite = context.suites.add(gx.ExpectationSuite(name="orders", expectations=items))
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(
            name="orders", data=asset.add_batch_definition_whole_dataframe("whole"), suite=suite
        )
    )
    with clocked() as facts:
        result = definition.run(batch_parameters={"dataframe": frame})
        facts["n_results"] = len(result.results)


if __name__ == "__main__":
    main()
