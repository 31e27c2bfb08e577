from __future__ import annotations

from tests.unit.operators.conftest import connect

__all__ = ["connect"]
