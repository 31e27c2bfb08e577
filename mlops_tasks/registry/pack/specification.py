"""What the spec says of a model: how it is made, and what it is for."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from mlops_tasks.partitions import Duration
from mlops_tasks.specs import IntendedUseSpec, ModelSpec
from mlops_tasks.specs.base import SpecModel

if TYPE_CHECKING:
    from mlops_tasks.specs import DatasetSpec, EstimatorSpec

__all__ = ["intended_use", "specification"]

NO_SPEC = "no project has a spec of this model where the pack was made"
_OF_ESTIMATOR = (
    *("problem_type", "categorical", "numeric", "text", "weight", "estimator", "random_state"),
    *("costs", "threshold", "allow_leak_suspects", "as_of", "gate"),
)
_OF_MODEL = (
    *("description", "owner", "observed_at", "train", "evaluation", "cron"),
    *("drift", "performance", "retrain", "after_promotion"),
)


def intended_use(spec: EstimatorSpec | None) -> dict[str, Any]:
    """Return what those who answer for a model say of its use; empty where they say nothing."""
    said = spec.intended_use if isinstance(spec, ModelSpec) else IntendedUseSpec()
    return dict(said)


def specification(spec: EstimatorSpec | None) -> dict[str, Any]:
    """Return how a model is made, monitored and replaced, by its spec as it is now."""
    if spec is None:
        return {"why_not": NO_SPEC}
    fields = _OF_ESTIMATOR + (_OF_MODEL if isinstance(spec, ModelSpec) else ())
    made = {name: _plain(getattr(spec, name)) for name in fields}
    made |= {"target": spec.target_sql, "personal": _personal(spec)}
    if not isinstance(spec, ModelSpec):
        return made
    return made | {
        "features_from": _features_from(spec),
        "inputs": [
            {"dataset": one.dataset.name, "lookback": str(one.lookback), "timeless": one.timeless}
            for one in spec.inputs
        ],
        "label": spec.label.dataset.name,
        "datasets": [_dataset(one) for one in spec.datasets],
    }


def _plain(value: Any) -> Any:
    """Return a field as plain JSON, durations as people write them."""
    if isinstance(value, Duration):
        return str(value)
    if isinstance(value, SpecModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    return list(value) if isinstance(value, tuple) else value


def _features_from(spec: ModelSpec) -> dict[str, str]:
    if spec.features_sql is None:
        return {"function": spec.features_python or ""}
    text = spec.features_sql.read_bytes()
    return {"query": text.decode("utf-8", "replace"), "sha256": hashlib.sha256(text).hexdigest()}


def _dataset(dataset: DatasetSpec) -> dict[str, Any]:
    names = {"name", "description", "owner", "grain", "columns", "key", "timezone", "subject"}
    said: dict[str, Any] = dataset.model_dump(mode="json", include=names)
    hidden = sorted(name for name in dataset.columns if dataset.hides(name))
    return said | {"source": type(dataset.source).__name__, "personal": hidden}


def _personal(spec: EstimatorSpec) -> list[str]:
    """Return the features with values of people: their names, which may be shown."""
    return sorted(name for name in spec.features if spec.hides(name))
