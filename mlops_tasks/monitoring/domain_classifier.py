"""All features at once: what moves between them shows in no single one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlops_tasks.drift import domain_classifier_auc
from mlops_tasks.drift.domain_classifier import MIN_ROWS
from mlops_tasks.features import feature_batches, pinned_inputs, published_inputs
from mlops_tasks.lake import TrainingPin
from mlops_tasks.monitoring.results import Check
from mlops_tasks.problem_types.binary.intervals import auc_standard_error
from mlops_tasks.registry.artifacts import PIN_FILE
from mlops_tasks.serialization import from_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import pyarrow.dataset as ds

    from mlops_tasks.drift import DomainResult
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec

__all__ = ["domain_classifier_check"]

_NAME = "domain_classifier"
_MAX_ROWS, _N_NAMED = 5000, 3
_ONE_SIDED_99 = 2.326


def domain_classifier_check(
    spec: ModelSpec,
    window: tuple[str, str],
    champion: RegisteredVersion,
    *,
    limit: float,
    lake: Lake,
    tracking: Tracking,
) -> Check:
    """Ask a classifier to distinguish the rows of a window from those of the champion's training.

    The window is read as published now, the training at the versions that its pin names; 5,000
    rows of each are drawn evenly, with the seed of the model. The alarm is one of effect size, for
    a ROC AUC above `limit` and the sampling error that an area of that size has; the stated level
    of false alarms does not cover it. See `domain_classifier_auc` for the method.
    """
    pin = from_json(TrainingPin, json.loads(tracking.read_artifact(champion, PIN_FILE)))
    needed = max(spec.drift.min_rows, MIN_ROWS)
    reference, current = (
        _sample(spec, inputs)
        for inputs in (
            pinned_inputs(spec, pin.inputs, pin.train, lake=lake),
            published_inputs(spec, lake, first=window[0], last=window[1]),
        )
    )
    if (n := min(len(reference), len(current))) < needed:
        text = f"{_NAME}: {n} rows, too few to tell; at least {needed} are needed"
        return Check(_NAME, None, limit, False, text)
    found = domain_classifier_auc(reference, current, random_state=spec.random_state)
    noise = _ONE_SIDED_99 * auc_standard_error(limit, found.n_current, found.n_reference)
    beyond = min(limit + noise, 1.0)
    alarm = found.auc > beyond
    return Check(_NAME, round(found.auc, 4), round(beyond, 4), alarm, _text(found, beyond))


def _sample(spec: ModelSpec, inputs: Mapping[str, ds.Dataset]) -> pd.DataFrame:
    """Draw rows evenly from a stream: those with the smallest of random numbers."""
    import numpy as np
    import pandas as pd

    random, kept = np.random.default_rng(spec.random_state), []
    for batch in feature_batches(spec, inputs):
        rows = batch.select([*spec.categorical, *spec.numeric]).to_pandas()
        kept.append(rows.set_index(pd.Index(random.random(len(rows)))))
        if sum(map(len, kept)) > 2 * _MAX_ROWS:
            kept = [pd.concat(kept).sort_index()[:_MAX_ROWS]]
    drawn: pd.DataFrame = pd.concat(kept).sort_index()[:_MAX_ROWS]
    return drawn


def _text(found: DomainResult, limit: float) -> str:
    strongest = list(found.importance.items())[:_N_NAMED]
    by = ", ".join(f"{name} {share:.0%}" for name, share in strongest)
    return (
        f"{_NAME}: distinguishes {found.n_current} rows of the window from {found.n_reference} of "
        f"the training with a ROC AUC of {found.auc:.3f} (0.5 is chance, ± "
        f"{1.96 * found.standard_error:.3f}), alarm above {limit:.3f}; mostly by {by}"
    )
