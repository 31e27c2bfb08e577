"""Every kind of check there is, in the order in which they are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.checks.clocks import check_clocks
from mlops_tasks.checks.data import check_connections, check_rows, check_suites
from mlops_tasks.checks.estimators import check_estimator
from mlops_tasks.checks.features import check_feature_values, check_features, check_personal
from mlops_tasks.checks.gates import check_gate
from mlops_tasks.checks.labels import check_label_delay, check_labels
from mlops_tasks.checks.leaks import check_leaks
from mlops_tasks.checks.refusals import refused
from mlops_tasks.checks.schedule import check_schedule
from mlops_tasks.checks.selection import check_selection
from mlops_tasks.checks.volume import check_volume
from mlops_tasks.checks.windows import check_resources, check_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mlops_tasks.checks.result import CheckResult
    from mlops_tasks.checks.sample import Sample

__all__ = ["CHECKS", "Check", "check_model"]


@dataclass(frozen=True, slots=True)
class Check:
    """A kind of check.

    Attributes
    ----------
    name : str
        As results and the reference name it.
    finds : str
        What it finds, for the reference.
    run : callable
        Takes the sample, gives results.
    """

    name: str
    finds: str
    run: Callable[[Sample], Iterable[CheckResult]]


CHECKS = (
    Check(
        "connection",
        "a connection that is not defined, or does not open",
        check_connections,
    ),
    Check(
        "suite",
        "an expectations file that cannot be used, or names columns that there are not; rows that "
        "it refuses",
        check_suites,
    ),
    Check(
        "rows",
        "a query or file that gives no rows, other columns or types than the contract, nulls, keys "
        "that come twice, a finer grain than the rows have, rows after `end`; on the newest "
        "partition and some before",
        check_rows,
    ),
    Check(
        "features",
        "a query or function that fails, loses or doubles rows, reads the label, sees what comes "
        "after a row's moment, or lacks a declared column or its type",
        check_features,
    ),
    Check(
        "feature values",
        "features without any value, categories that name single rows, weights that are none",
        check_feature_values,
    ),
    Check(
        "label",
        "a target expression that fails or is of the wrong type, classes that are missing, rows "
        "that find no label",
        check_labels,
    ),
    Check(
        "label delay",
        "labels that come later than `delay` says",
        check_label_delay,
    ),
    Check(
        "estimator",
        "an estimator that cannot be built, fitted, asked, saved or loaded, stumbles over new "
        "categories and nulls, or draws at random without `random_state`",
        check_estimator,
    ),
    Check(
        "candidates",
        "a candidate, or a search, that cannot be built or fitted, and a training window that has "
        "no room to compare them",
        check_selection,
    ),
    Check(
        "gate",
        "a metric, cost, threshold or limit that the problem type has not, that no model can pass, "
        "or that none can break",
        check_gate,
    ),
    Check(
        "leaks",
        "features that alone, or in a sum, nearly give the label, or are there with one label only",
        check_leaks,
    ),
    Check(
        "volume",
        "windows with fewer rows, or rows of a class, than gate and monitoring need",
        check_volume,
    ),
    Check(
        "windows",
        "an evaluation or an embargo that leaves nothing to train on, an evaluation of one "
        "partition alone, monitoring that needs more than there is",
        check_windows,
    ),
    Check(
        "schedule",
        "a decision that is taken before the rows or labels that count as known by then",
        check_schedule,
    ),
    Check(
        "clock changes",
        "times without a zone in an hour that comes twice when clocks are put back",
        check_clocks,
    ),
    Check(
        "memory and time",
        "a training that needs more memory than the machine has",
        check_resources,
    ),
    Check(
        "personal",
        "features that hold values of people; a note, no alarm",
        check_personal,
    ),
)


def check_model(look: Sample) -> Iterator[CheckResult]:
    """Make all checks of a model, one after the other; none of them stops the others.

    Parameters
    ----------
    look : Sample
        The model, and what it is looked at by.

    Yields
    ------
    CheckResult
        In the order of `CHECKS`.
    """
    for check in CHECKS:
        try:
            yield from check.run(look)
        except Exception as error:  # of the check itself, or of a library below it
            yield refused(look, check.name, f"model {look.spec.name!r}", error)
