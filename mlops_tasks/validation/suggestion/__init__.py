"""Suggestion: a first contract and suite from rows that are in the lake, for a person to review."""

from mlops_tasks.validation.suggestion.draft import Suggestion, suggest

__all__ = ["Suggestion", "suggest"]
