"""The gate: whether a challenger may replace the champion."""

__all__: list[str] = []
