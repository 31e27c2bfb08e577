"""Features and targets: one query for training and for scoring, over pinned rows only."""

from mlops_tasks.features.sql import (
    build_features,
    build_targets,
    feature_batches,
    feature_frame,
    join_targets,
    model_frame,
)

__all__ = [
    "build_features",
    "build_targets",
    "feature_batches",
    "feature_frame",
    "join_targets",
    "model_frame",
]
