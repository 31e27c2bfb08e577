"""Every asset's name and URI, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Asset

if TYPE_CHECKING:
    from mlops_tasks.specs import DatasetSpec, ModelSpec

__all__ = [
    "dataset_asset",
    "model_asset",
    "predictions_asset",
    "refreshed_asset",
    "release_request_asset",
    "retrain_request_asset",
    "score_again_asset",
]


def dataset_asset(spec: DatasetSpec) -> Asset:
    """Return the asset of a dataset: an event per published day."""
    return _asset(spec.name, "dataset")


def refreshed_asset(spec: DatasetSpec) -> Asset:
    """Return the asset of a dataset's late rows: an event per day whose content has changed."""
    return _asset(f"{spec.name}.refreshed", "dataset")


def predictions_asset(spec: ModelSpec) -> Asset:
    """Return the asset of a model's predictions: an event per scored day."""
    return _asset(f"{spec.name}.predictions", "dataset")


def score_again_asset(spec: ModelSpec) -> Asset:
    """Return the asset that has partitions scored again: an event per partition."""
    return _asset(f"{spec.name}.score_again", "decision")


def retrain_request_asset(spec: ModelSpec) -> Asset:
    """Return the asset that starts a training: an event per night that asks for one."""
    return _asset(f"{spec.name}.retrain_request", "decision")


def release_request_asset(spec: ModelSpec) -> Asset:
    """Return the asset that starts a release: an event per version that asks for one."""
    return _asset(f"{spec.name}.release_request", "decision")


def model_asset(spec: ModelSpec) -> Asset:
    """Return the asset of the registered model: an event per promotion."""
    return _asset(f"{spec.name}.model", "model")


def _asset(name: str, group: str) -> Asset:
    return Asset(name=name, uri=f"x-mlops://{name.replace('.', '/')}", group=group)
