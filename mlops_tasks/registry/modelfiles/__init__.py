"""Model files that may be loaded: digested, examined by a throw-away process, never unpickled."""

from mlops_tasks.registry.modelfiles.allowed import ALLOWED_TYPES, check_types
from mlops_tasks.registry.modelfiles.examination import examine_model
from mlops_tasks.registry.modelfiles.files import files_digest
from mlops_tasks.registry.modelfiles.inspection import inspect_model
from mlops_tasks.registry.modelfiles.loading import load_model

__all__ = [
    "ALLOWED_TYPES",
    "check_types",
    "examine_model",
    "files_digest",
    "inspect_model",
    "load_model",
]
