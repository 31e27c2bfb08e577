"""Profiles: what each column of a partition looked like, mergeable over any window."""

from mlops_tasks.profiles.builder import ProfileBuilder
from mlops_tasks.profiles.columns import CategoryProfile, ColumnProfile, NumericProfile, TimeProfile
from mlops_tasks.profiles.correlations import Correlations
from mlops_tasks.profiles.profile import Profile

__all__ = [
    "CategoryProfile",
    "ColumnProfile",
    "Correlations",
    "NumericProfile",
    "Profile",
    "ProfileBuilder",
    "TimeProfile",
]
