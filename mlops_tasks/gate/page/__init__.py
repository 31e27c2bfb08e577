"""The page of the gate: a verdict, and everything that a person needs to agree with it or not.

Modules: `intervals` (bars against margins), `plots` (curves as paths), `sections` (criteria by what
they ask), `page` (all of it as one file that loads nothing from anywhere), `publication` (where it
goes).
"""

from mlops_tasks.gate.page.page import GateFacts, render_gate_page
from mlops_tasks.gate.page.publication import publish_page

__all__ = ["GateFacts", "publish_page", "render_gate_page"]
