from __future__ import annotations

from mlops_tasks.monitoring.results import Check, MonitorResult


def test_alarms_are_the_checks_that_alarm() -> None:
    quiet = Check("a", None, 0.2, False, "too few rows to tell")
    loud = Check("b", 0.5, 0.2, True, "moved")
    result = MonitorResult("2024-03-01", "2024-03-03", 9, "1", (quiet, loud))
    assert result.alarms == (loud,)
