"""What a user writes: specs, checked before any Dag is built."""

from mlops_tasks.specs.dataset import COLUMN_TYPES, RESERVED_COLUMNS, DatasetSpec
from mlops_tasks.specs.derived import DerivedSource
from mlops_tasks.specs.estimator import EstimatorSpec
from mlops_tasks.specs.gate import GateSpec
from mlops_tasks.specs.history import (
    CategoryGrowthSpec,
    FreshnessSpec,
    HistorySpec,
    KeyOverlapSpec,
    RowCountSpec,
)
from mlops_tasks.specs.intended_use import IntendedUseSpec
from mlops_tasks.specs.model import InputSpec, LabelSpec, ModelSpec
from mlops_tasks.specs.monitoring import DriftSpec, PerformanceSpec
from mlops_tasks.specs.policy import AfterPromotionSpec, RetrainSpec
from mlops_tasks.specs.selection import CandidateSpec, SearchSpec
from mlops_tasks.specs.source import (
    PLACEHOLDER,
    DeltaSource,
    FileSource,
    FunctionSource,
    SourceSpec,
    SqlSource,
)
from mlops_tasks.specs.table_model import TableModel

__all__ = [
    "COLUMN_TYPES",
    "PLACEHOLDER",
    "RESERVED_COLUMNS",
    "AfterPromotionSpec",
    "CandidateSpec",
    "CategoryGrowthSpec",
    "DatasetSpec",
    "DeltaSource",
    "DerivedSource",
    "DriftSpec",
    "EstimatorSpec",
    "FileSource",
    "FreshnessSpec",
    "FunctionSource",
    "GateSpec",
    "HistorySpec",
    "InputSpec",
    "IntendedUseSpec",
    "KeyOverlapSpec",
    "LabelSpec",
    "ModelSpec",
    "PerformanceSpec",
    "RetrainSpec",
    "RowCountSpec",
    "SearchSpec",
    "SourceSpec",
    "SqlSource",
    "TableModel",
]
