from __future__ import annotations

from tests.quality.conftest import dag_bag

__all__ = ["dag_bag"]
