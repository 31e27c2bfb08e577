"""Profiles: what each column of a partition looked like, mergeable over any window."""

from mlops_tasks.profiles.categories import CategoryProfile
from mlops_tasks.profiles.numeric import NumericProfile
from mlops_tasks.profiles.profile import ColumnProfile, Profile, ProfileBuilder

__all__ = ["CategoryProfile", "ColumnProfile", "NumericProfile", "Profile", "ProfileBuilder"]
