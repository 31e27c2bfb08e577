"""Errors of the embedded stack; every message names the fix."""

from __future__ import annotations

__all__ = [
    "PortTakenError",
    "StackError",
    "StackNotReadyError",
    "StackRunningError",
    "StackSettingsError",
    "StackSetupError",
]


class StackError(RuntimeError):
    """Base of every error of the embedded stack."""


class StackSettingsError(StackError, ValueError):
    """A setting holds something that cannot be used."""


class StackSetupError(StackError):
    """A set-up command failed."""


class StackRunningError(StackError):
    """Another stack already runs in the same home."""


class PortTakenError(StackError):
    """A port the stack needs is in use."""


class StackNotReadyError(StackError):
    """A component ended, or did not become healthy in time."""
