"""Scaffold: look at a source, say what it seems to be, and write a model project that runs.

`draft` goes through the other modules in this order: `locations` (what was typed becomes a
connection), `file_layout` and `loading` (its rows, in a DuckDB of their own), `columns` (names and
types), `moments` (time column, grain), `keys`, `targets`, `roles` (what is a feature, and what is
known too late), `volume` (windows that have enough rows), `rendering` and what it calls (the text
of the files), `trial_run` (the project tried on its own rows, and suites drawn from them), and
`writing` (never over a file that is there).
"""

from mlops_tasks.scaffold.answers import Answers, Assumption
from mlops_tasks.scaffold.drafting import Draft, draft
from mlops_tasks.scaffold.locations import Location, locate
from mlops_tasks.scaffold.writing import Written, check_model_name, write_files

__all__ = [
    "Answers",
    "Assumption",
    "Draft",
    "Location",
    "Written",
    "check_model_name",
    "draft",
    "locate",
    "write_files",
]
