"""Model files that may be loaded: digested, examined by a throw-away process, never unpickled."""

from mlops_tasks.registry.modelfiles.allowed import ALLOWED_TYPES
from mlops_tasks.registry.modelfiles.boosters import detached_boosters
from mlops_tasks.registry.modelfiles.content import content_digest
from mlops_tasks.registry.modelfiles.examination import examine_model
from mlops_tasks.registry.modelfiles.extra_files import write_extra_files
from mlops_tasks.registry.modelfiles.files import files_digest, model_bytes
from mlops_tasks.registry.modelfiles.golden_rows import model_answer, same_answers
from mlops_tasks.registry.modelfiles.inspection import inspect_model
from mlops_tasks.registry.modelfiles.loading import load_model
from mlops_tasks.registry.modelfiles.refusal import check_types
from mlops_tasks.registry.modelfiles.trial import try_saving

__all__ = [
    "ALLOWED_TYPES",
    "check_types",
    "content_digest",
    "detached_boosters",
    "examine_model",
    "files_digest",
    "inspect_model",
    "load_model",
    "model_answer",
    "model_bytes",
    "same_answers",
    "try_saving",
    "write_extra_files",
]
