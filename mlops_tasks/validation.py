"""Validate: a raw partition passes its contract and its suite, or stays unpublished."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlops_tasks.contract import contract_breaches
from mlops_tasks.exceptions import (
    EmptyPartitionError,
    StaleAttemptError,
    UnknownExpectationError,
    ValidationFailedError,
)
from mlops_tasks.types import ValidationResult

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pyarrow as pa

    from mlops_tasks.lake import Lake
    from mlops_tasks.spec import DatasetSpec
    from mlops_tasks.types import PartitionVersion

__all__ = ["load_suite", "quarantine_table", "run_suite", "validate"]

# Quantiles crash GX 1.24 on numpy 2, and type lists know no pandas 3 strings: the contract
# checks types, and a suite that asks for these is refused instead of misjudged.
_REFUSED = {
    "expect_column_quantile_values_to_be_between",
    "expect_column_values_to_be_in_type_list",
    "expect_column_values_to_be_of_type",
}


def quarantine_table(spec: DatasetSpec) -> str:
    """Return the table that keeps the refused rows with their reasons."""
    return f"{spec.name}__quarantine"


def validate(
    spec: DatasetSpec,
    raw: PartitionVersion,
    *,
    lake: Lake,
    token: int,
    published_digest: str | None = None,
) -> ValidationResult:
    """Check one raw partition; publish the good rows and quarantine the bad ones.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset with its contract and suite.
    raw : PartitionVersion
        The raw partition, at its exact version.
    lake : Lake
        Both source and target.
    token : int
        Number of this attempt, from `Ledger.next_token`.
    published_digest : str, optional
        Content digest that another run has already published for this partition.

    Returns
    -------
    ValidationResult
        Counts, reasons and the published version; `changed` tells whether the content is new.

    Raises
    ------
    ValidationFailedError
        If a critical expectation about the whole partition fails, or more rows are bad than
        `max_quarantined_share` allows. What was published before stays as it is.
    EmptyPartitionError
        If there are no rows: every check of rows would pass.
    StaleAttemptError
        If the day has been extracted again since: older rows never replace newer ones.
    UnknownExpectationError
        If the suite names an expectation that does not exist.
    """
    rows = _read(spec, raw, lake)
    suite = load_suite(spec.expectations)
    failed, warnings, bad = run_suite(suite, rows)
    reasons = {**contract_breaches(spec, rows), **bad}
    refused = sorted({position for positions in reasons.values() for position in positions})
    counts = {reason: len(positions) for reason, positions in reasons.items()}
    _publishable(spec, raw, failed, counts, len(refused))
    good = _without(rows, refused)
    # Also where rows of an earlier run were kept back that the source has mended since.
    if refused or raw.partition in lake.partitions(quarantine_table(spec)):
        _keep_back(spec, raw.partition, rows, reasons, lake=lake, token=token)
    published = lake.overwrite_partition(
        spec.name, raw.partition, good, token=token, known_at=_known_at(raw, lake)
    )
    return ValidationResult(
        published=published,
        n_rows_in=rows.num_rows,
        n_quarantined=len(refused),
        n_evaluated=len(suite["expectations"]),
        quarantined_by_reason=counts,
        warnings=tuple(warnings),
        changed=published.digest != published_digest,
    )


def _known_at(raw: PartitionVersion, lake: Lake) -> str:
    """Return the day as of which the raw rows were known; what is published was known then too."""
    day = raw.partition
    (commit,) = lake.commits(raw.table, first=day, last=day, version=raw.version)
    return commit.known_at


def _read(spec: DatasetSpec, raw: PartitionVersion, lake: Lake) -> pa.Table:
    day = raw.partition
    rows = lake.read(raw.table, first=day, last=day, version=raw.version).combine_chunks()
    if rows.num_rows == 0:
        raise EmptyPartitionError(
            f"dataset {spec.name!r}, partition {day}: {raw.table!r} version {raw.version} has no "
            f"rows; nothing was published. Run the ingest task of {day} again"
        )
    (newest,) = lake.commits(raw.table, first=day, last=day)
    if newest.digest != raw.digest:
        raise StaleAttemptError(
            f"dataset {spec.name!r}, partition {day}: {raw.table!r} version {raw.version} was "
            f"replaced by a later extract, version {newest.version} has it; the run that took it "
            f"publishes it. Run {spec.name}.ingest for {day} if it has not"
        )
    return rows


def load_suite(path: Path) -> dict[str, Any]:
    """Read a suite and refuse what Great Expectations would drop or misjudge in silence.

    Parameters
    ----------
    path : Path
        JSON with ``name`` and ``expectations``.

    Returns
    -------
    dict
        The suite as JSON.

    Raises
    ------
    UnknownExpectationError
        If a type does not exist (GX would drop it and pass), or is known to misjudge.
    """
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    suite: dict[str, Any] = json.loads(path.read_text())
    known = set(list_registered_expectation_implementations())
    for item in suite["expectations"]:
        kind = item["type"]
        if kind not in known:
            raise UnknownExpectationError(
                f"suite {path.name}: there is no expectation {kind!r}; "
                f"did you mean {_closest(kind, known)!r}?"
            )
        if kind in _REFUSED:
            raise UnknownExpectationError(
                f"suite {path.name}: {kind!r} misjudges with this version of numpy and pandas; "
                "types belong in the contract `columns`, ranges in "
                "'expect_column_values_to_be_between'"
            )
    return suite


def run_suite(
    suite: dict[str, Any], rows: pa.Table
) -> tuple[list[str], list[str], dict[str, list[int]]]:
    """Run a suite over one partition in memory.

    Parameters
    ----------
    suite : dict
        From `load_suite`.
    rows : Table
        The partition.

    Returns
    -------
    failed : list of str
        Critical expectations about the whole partition that failed, with what was observed.
    warnings : list of str
        The same for severities below critical.
    bad : dict of str to list of int
        Row positions that break a critical row-wise expectation, by ``<type>:<column>``.
    """
    failed: list[str] = []
    warnings: list[str] = []
    bad: dict[str, list[int]] = {}
    for result in _gx_results(suite, rows):
        if result.success:
            continue
        config = result.expectation_config
        positions = (result.result or {}).get("unexpected_index_list")
        if str(config.severity).rsplit(".", 1)[-1].lower() != "critical":
            warnings.append(_sentence(result))
        elif positions:
            # One column may have several expectations of one type: all their rows are bad.
            known = bad.get(_label(config), [])
            bad[_label(config)] = sorted({*known, *(int(position) for position in positions)})
        else:
            failed.append(_sentence(result))
    return failed, warnings, bad


def _gx_results(suite: dict[str, Any], rows: pa.Table) -> Iterable[Any]:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("lake").add_dataframe_asset("partition")
    batch = source.add_batch_definition_whole_dataframe("whole")
    wanted = context.suites.add(gx.ExpectationSuite(**suite))
    if len(wanted.expectations) != len(suite["expectations"]):
        raise UnknownExpectationError(
            f"suite {suite['name']!r}: Great Expectations took {len(wanted.expectations)} of "
            f"{len(suite['expectations'])} expectations; the rest would pass unchecked"
        )
    definition = gx.ValidationDefinition(name="partition", data=batch, suite=wanted)
    run = context.validation_definitions.add(definition).run(
        batch_parameters={"dataframe": rows.to_pandas()}, result_format="COMPLETE"
    )
    return run.results


def _publishable(
    spec: DatasetSpec, raw: PartitionVersion, failed: list[str], counts: dict[str, int], bad: int
) -> None:
    share = bad / raw.n_rows
    lines = list(failed)
    if share > spec.max_quarantined_share:
        worst = ", ".join(f"{reason} {n}" for reason, n in sorted(counts.items()))
        lines.append(
            f"{bad} of {raw.n_rows} rows are bad ({share:.1%}, allowed "
            f"{spec.max_quarantined_share:.1%}): {worst}"
        )
    if lines:
        raise ValidationFailedError(
            f"dataset {spec.name!r}, partition {raw.partition}: not published, what was published "
            f"before stays. The rows are in {raw.table!r} version {raw.version}:\n"
            + "\n".join(f"  {line}" for line in lines)
        )


def _without(rows: pa.Table, refused: list[int]) -> pa.Table:
    import numpy as np

    keep = np.ones(rows.num_rows, dtype=bool)
    keep[refused] = False
    return rows.filter(keep)


def _keep_back(
    spec: DatasetSpec,
    partition: str,
    rows: pa.Table,
    reasons: dict[str, list[int]],
    *,
    lake: Lake,
    token: int,
) -> None:
    import pyarrow as pa

    by_row: dict[int, list[str]] = {}
    for reason, positions in reasons.items():
        for position in positions:
            by_row.setdefault(position, []).append(reason)
    kept = rows.take(pa.array(sorted(by_row), pa.int64()))
    texts = ["; ".join(by_row[position]) for position in sorted(by_row)]
    lake.overwrite_partition(
        quarantine_table(spec),
        partition,
        kept.append_column("reasons", pa.array(texts, pa.string())),
        token=token,
    )


def _label(config: Any) -> str:
    kwargs = config.kwargs
    names = ("column", "column_A", "column_B")
    columns = [kwargs[name] for name in names if name in kwargs] + kwargs.get("column_list", [])
    return ":".join([config.type, ",".join(columns)]) if columns else str(config.type)


def _sentence(result: Any) -> str:
    config, found = result.expectation_config, result.result or {}
    limits = {k: v for k, v in config.kwargs.items() if k not in ("column", "batch_id")}
    errors = [info["exception_message"] for info in _exceptions(result)]
    seen = found.get("observed_value", found.get("unexpected_percent"))
    return f"{_label(config)} {limits}: {errors[0] if errors else f'observed {seen}'}"


def _exceptions(result: Any) -> list[dict[str, Any]]:
    info = result.exception_info or {}
    nested = info.values() if "exception_message" not in info else [info]
    return [item for item in nested if isinstance(item, dict) and item.get("exception_message")]


def _closest(kind: str, known: set[str]) -> str:
    import difflib

    return next(iter(difflib.get_close_matches(kind, known, n=1, cutoff=0.0)), "")
