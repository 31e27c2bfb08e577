"""Each contender's drift of two Parquet files; runs as a script in the contender's own environment.

``python contenders.py NAME REFERENCE CURRENT`` prints seconds and peak memory as one line of JSON.
Only the standard library is imported here; what a contender needs is imported, and timed, by name.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH_ROWS, BUFFER_BYTES = 65_536, 65_536
MANY_TEXTS = "text_004"  # of 1,000 values
TABLE, FIRST_DAY = "daily", "2013-01-01"
Seconds = dict[str, float]


def clocked(seconds: Seconds, what: str, work: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    result = work()
    seconds[what] = seconds.get(what, 0.0) + time.perf_counter() - started
    return result


def batches(path: str, *, use_threads: bool = True) -> Any:
    parquet = importlib.import_module("pyarrow.parquet")
    # Buffering ahead would hold the whole file, and without a buffer a column of a row group.
    file = parquet.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER_BYTES)
    return file.schema_arrow, file.iter_batches(BATCH_ROWS, use_threads=use_threads)


def frames(seconds: Seconds, *paths: str) -> list[Any]:
    pandas = clocked(seconds, "import_s", lambda: importlib.import_module("pandas"))
    return list(clocked(seconds, "read_s", lambda: [pandas.read_parquet(p) for p in paths]))


def ours(seconds: Seconds, reference: str, current: str) -> int:
    """Profile both files and judge; reading is part of the pass."""
    profiles = clocked(seconds, "import_s", lambda: importlib.import_module("mlops_tasks.profiles"))
    clocked(seconds, "import_s", lambda: importlib.import_module("pyarrow.compute"))
    clocked(seconds, "import_s", lambda: importlib.import_module("pyarrow.parquet"))
    drifting = clocked(seconds, "import_s", ours_drifting)

    def run() -> Any:
        found = []
        for path in (reference, current):
            # As the lake streams: the profile has the other threads.
            schema, rows = batches(path, use_threads=False)
            found.append(profiles.Profile.of(rows, schema))
        return drifting(*found)

    return int(clocked(seconds, "run_s", run))


def ours_drifting() -> Callable[[Any, Any], int]:
    importlib.import_module("scipy.stats")  # which detection imports when it is first used
    baseline = importlib.import_module("mlops_tasks.drift.baseline")
    detection = importlib.import_module("mlops_tasks.drift.detection")

    def judge(reference: Any, current: Any) -> int:
        report = detection.detect_drift(
            baseline.Baseline.of([reference]), current, window="current"
        )
        return len(report.columns)

    return judge


def ours_streaming(seconds: Seconds, path: str, repeats: str) -> int:
    """Profile one file again and again in one pass, as a table so much longer."""
    profiles = importlib.import_module("mlops_tasks.profiles")
    importlib.import_module("pyarrow.parquet")

    compute = importlib.import_module("pyarrow.compute")

    def run() -> int:
        schema = batches(path)[0]
        builder, at = profiles.ProfileBuilder(schema), schema.get_field_index(MANY_TEXTS)
        for repeat in range(int(repeats)):
            for batch in batches(path, use_threads=False)[1]:
                # Else a longer table would bring no text that is not known already.
                own = compute.binary_join_element_wise(batch.column(at), str(repeat), "-")
                builder.update(batch.set_column(at, schema.field(at), own))
        return int(builder.finish().n_rows)

    return int(clocked(seconds, "run_s", run))


def ours_window(seconds: Seconds, lake: str, how: str) -> int:
    """Read a window of a lake's stored profiles, merge them, and judge its last day.

    ``how`` is "days" when single days are read, "roll-ups" when the store may use its own.
    """
    names = ("mlops_tasks.profiles.store", "mlops_tasks.lake", "mlops_tasks.drift.baseline")
    lazy = ("mlops_tasks.drift.detection", "deltalake", "pyarrow.compute", "scipy.special")
    found = [clocked(seconds, "import_s", partial(importlib.import_module, n)) for n in names]
    for name in (*lazy, "mlops_tasks.drift.day_effects", "mlops_tasks.drift.aspects"):
        clocked(seconds, "import_s", partial(importlib.import_module, name))
    tables = found[1].Lake(Path(lake))
    store = found[0].ProfileStore(tables)
    baseline, detection = found[2], importlib.import_module("mlops_tasks.drift.detection")

    def open_lake() -> tuple[str, Any]:
        newest = tables.table(TABLE).partitions()[-1]
        return newest, store.read(TABLE, first=newest, last=newest)[newest]

    # As monitoring does: first what is judged, which opens the lake.
    last, current = clocked(seconds, "open_s", open_lake)

    def read() -> Any:
        if how == "days":
            return list(store.read(TABLE, first=FIRST_DAY, last=last).values()), None
        window = store.read_window(TABLE, first=FIRST_DAY, last=last, n_days=baseline.FEW_DAYS)
        return window.parts, window.days

    parts, days = clocked(seconds, "read_s", read)
    whole = clocked(seconds, "merge_s", lambda: baseline.Baseline.of(parts, days=days))
    report = clocked(
        seconds, "run_s", lambda: detection.detect_drift(whole, current, window="current")
    )
    return len(report.columns)


def floor(seconds: Seconds, reference: str, current: str) -> int:
    """Fill a KLL sketch per number column, count texts, and nothing else."""
    sketches = clocked(seconds, "import_s", lambda: importlib.import_module("datasketches"))
    compute = clocked(seconds, "import_s", lambda: importlib.import_module("pyarrow.compute"))
    clocked(seconds, "import_s", lambda: importlib.import_module("pyarrow.parquet"))
    types = importlib.import_module("pyarrow.types")

    def sketch(path: str) -> int:
        schema, rows = batches(path)
        numbers = {
            f.name: sketches.kll_doubles_sketch(200) for f in schema if types.is_floating(f.type)
        }
        texts = {
            name: sketches.frequent_strings_sketch(10)
            for name in schema.names
            if name not in numbers
        }
        for batch in rows:
            for name, one in numbers.items():
                # The library asks for an array that it could write to.
                one.update(batch.column(name).to_numpy().copy())
            for name, one in texts.items():
                counted = compute.value_counts(batch.column(name))
                for value, n in zip(*(part.to_pylist() for part in counted.flatten()), strict=True):
                    one.update(value, n)
        return len(numbers) + len(texts)

    return int(clocked(seconds, "run_s", lambda: sketch(reference) + sketch(current)))


def accuracy_ours(seconds: Seconds, path: str, _: str) -> int:
    """Find the worst error of a rank over all number columns, and the bytes of one of them."""
    profiles = importlib.import_module("mlops_tasks.profiles")
    schema, rows = batches(path)
    names = number_names(schema)
    profile = profiles.Profile.of(rows, schema, columns=names)
    seconds["bytes"] = len(profile.to_bytes()) / len(names)
    seconds["rank_error_%"] = max(
        worst_rank(path, name, profile.columns[name].cdf) for name in names
    )
    return len(names)


def accuracy_kll(seconds: Seconds, path: str, k: str) -> int:
    """Find the same for KLL sketches."""
    sketches = importlib.import_module("datasketches")
    schema, rows = batches(path)
    found = {name: sketches.kll_doubles_sketch(int(k)) for name in number_names(schema)}
    for batch in rows:
        for name, one in found.items():
            one.update(batch.column(name).to_numpy().copy())
    seconds["bytes"] = sum(len(one.serialize()) for one in found.values()) / len(found)
    seconds["rank_error_%"] = max(
        worst_rank(path, name, lambda at, one=one: one.get_cdf(at.tolist(), True)[:-1])  # type: ignore[misc]
        for name, one in found.items()
    )
    return len(found)


def number_names(schema: Any) -> list[str]:
    types = importlib.import_module("pyarrow.types")
    return [field.name for field in schema if types.is_floating(field.type)]


def worst_rank(path: str, name: str, cdf: Callable[[Any], Any]) -> float:
    numpy = importlib.import_module("numpy")
    parquet = importlib.import_module("pyarrow.parquet")
    column = parquet.read_table(path, columns=[name]).column(0).to_numpy()
    ordered = numpy.sort(column)
    at = numpy.unique(ordered[:: max(1, len(ordered) // 10_000)])
    true = numpy.searchsorted(ordered, at, side="right") / len(ordered)
    return float(100 * numpy.abs(numpy.asarray(cdf(at)) - true).max())


def evidently(seconds: Seconds, reference: str, current: str) -> int:
    """Run the preset with its defaults."""
    library = clocked(seconds, "import_s", lambda: importlib.import_module("evidently"))
    presets = clocked(seconds, "import_s", lambda: importlib.import_module("evidently.presets"))
    old, new = frames(seconds, reference, current)

    def run() -> int:
        kinds = library.DataDefinition(
            numerical_columns=list(old.select_dtypes("number").columns),
            categorical_columns=list(old.select_dtypes(exclude="number").columns),
        )
        sets = [library.Dataset.from_pandas(f, data_definition=kinds) for f in (new, old)]
        return len(library.Report([presets.DataDriftPreset()]).run(*sets).dict()["metrics"])

    return int(clocked(seconds, "run_s", run))


def whylogs(seconds: Seconds, reference: str, current: str) -> int:
    """Make two profiles and compare them."""
    os.environ["WHYLOGS_NO_ANALYTICS"] = "True"
    library = clocked(seconds, "import_s", lambda: importlib.import_module("whylogs"))
    drift = clocked(
        seconds,
        "import_s",
        lambda: importlib.import_module("whylogs.viz.drift.column_drift_algorithms"),
    )
    old, new = frames(seconds, reference, current)

    def run() -> int:
        views = [library.log(frame).view() for frame in (new, old)]
        return len(drift.calculate_drift_scores(*views, with_thresholds=True))

    return int(clocked(seconds, "run_s", run))


def nannyml(seconds: Seconds, reference: str, current: str) -> int:
    """Compute univariate drift with the default methods, in ten chunks."""
    os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
    library = clocked(seconds, "import_s", lambda: importlib.import_module("nannyml"))
    old, new = frames(seconds, reference, current)

    def run() -> int:
        calculator = library.UnivariateDriftCalculator(
            column_names=list(old.columns),
            treat_as_categorical=list(old.select_dtypes(exclude="number").columns),
            chunk_size=len(old) // 10,
        )
        return len(calculator.fit(old).calculate(new).to_df())

    return int(clocked(seconds, "run_s", run))


CONTENDERS: dict[str, Callable[[Seconds, str, str], int]] = {
    "ours": ours,
    "ours_streaming": ours_streaming,
    "ours_window": ours_window,
    "accuracy_ours": accuracy_ours,
    "accuracy_kll": accuracy_kll,
    "floor": floor,
    "evidently": evidently,
    "whylogs": whylogs,
    "nannyml": nannyml,
}


def peak_mb() -> float:
    """Return the peak of resident memory since this program began."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent had when it forked
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(name: str, first: str, second: str) -> None:
    """Run one contender, once."""
    warnings.simplefilter("ignore")
    seconds: Seconds = {"import_s": 0.0, "read_s": 0.0, "run_s": 0.0}
    n = CONTENDERS[name](seconds, first, second)
    assert n, f"{name} said nothing"
    times = os.times()
    found = {**seconds, "cpu_s": times.user + times.system, "peak_mb": peak_mb()}
    sys.stdout.write("\n" + json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
