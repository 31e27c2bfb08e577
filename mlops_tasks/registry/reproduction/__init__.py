"""What a training leaves behind so that it can be repeated, and its repetition."""

from mlops_tasks.registry.reproduction.environment import Distribution, Environment
from mlops_tasks.registry.reproduction.fingerprint import Fingerprint
from mlops_tasks.registry.reproduction.project_sources import git_commit, pack_project

__all__ = ["Distribution", "Environment", "Fingerprint", "git_commit", "pack_project"]
