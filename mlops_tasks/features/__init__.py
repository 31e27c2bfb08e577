"""Features and targets: one text for training and for scoring, over pinned rows only."""

from mlops_tasks.features.build import (
    build_features,
    feature_batches,
    feature_frame,
    model_frame,
)
from mlops_tasks.features.parity import assert_parity
from mlops_tasks.features.splits import is_between, is_held_out
from mlops_tasks.features.table_rows import check_table, table_batches
from mlops_tasks.features.targets import build_targets, join_targets
from mlops_tasks.features.windows import (
    dataset_range,
    days_of_rows,
    feature_rows,
    input_range,
    labelled_rows,
    pinned_inputs,
    published_inputs,
    split_days,
)

__all__ = [
    "assert_parity",
    "build_features",
    "build_targets",
    "check_table",
    "dataset_range",
    "days_of_rows",
    "feature_batches",
    "feature_frame",
    "feature_rows",
    "input_range",
    "is_between",
    "is_held_out",
    "join_targets",
    "labelled_rows",
    "model_frame",
    "pinned_inputs",
    "published_inputs",
    "split_days",
    "table_batches",
]
