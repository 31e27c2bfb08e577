"""Leak suspects: features that know what only the label can know."""

from mlops_tasks.features.leaks.newest import newest_rows
from mlops_tasks.features.leaks.search import leak_suspects

__all__ = ["leak_suspects", "newest_rows"]
