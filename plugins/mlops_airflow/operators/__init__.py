"""Operators: one per step of the loop, each a thin adapter around a function of `mlops_tasks`."""
