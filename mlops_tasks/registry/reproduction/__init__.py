"""What a training leaves behind so that it can be repeated: environment and sources."""

from mlops_tasks.registry.reproduction.environment import Distribution, Environment
from mlops_tasks.registry.reproduction.project_sources import git_commit, pack_project

__all__ = ["Distribution", "Environment", "git_commit", "pack_project"]
