"""Readings of machines, and what is computed from them once for every model that needs it."""
