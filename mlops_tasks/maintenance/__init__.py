"""Nightly maintenance: end what dead tasks left, keep growth bounded, say what was kept and why.

Every part is a function of its own that removes only what nothing needs, may be killed anywhere and
run again or twice at once, and changes nothing with ``dry_run``.
"""

from mlops_tasks.maintenance.files import remove_old_logs, remove_old_reports, sweep_scratch
from mlops_tasks.maintenance.ledger import anchor_ledger, follow_aliases
from mlops_tasks.maintenance.names import ledger_pins, named_in_ledger, registered_pins
from mlops_tasks.maintenance.registry import end_dead_runs, remove_old_runs, remove_spare_versions
from mlops_tasks.maintenance.tables import shrink_tables
from mlops_tasks.maintenance.upkeep import Upkeep, maintain

__all__ = [
    "Upkeep",
    "anchor_ledger",
    "end_dead_runs",
    "follow_aliases",
    "ledger_pins",
    "maintain",
    "named_in_ledger",
    "registered_pins",
    "remove_old_logs",
    "remove_old_reports",
    "remove_old_runs",
    "remove_spare_versions",
    "shrink_tables",
    "sweep_scratch",
]
