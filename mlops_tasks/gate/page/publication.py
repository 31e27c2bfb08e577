"""Where page and explanation of a verdict go: to the run of the challenger, and beside the lake."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from mlops_tasks.gate.page.page import render_gate_page
from mlops_tasks.registry.artifacts import EXPLANATION, GATE_PAGE
from mlops_tasks.reports import write_report
from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from mlops_tasks.gate.explanation import Explanation
    from mlops_tasks.gate.page.page import GateFacts
    from mlops_tasks.gate.verdict import Verdict
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.tracking import Tracking

__all__ = ["publish_page"]


def publish_page(
    facts: GateFacts,
    verdict: Verdict,
    explanation: Explanation,
    *,
    lake: Lake,
    tracking: Tracking,
) -> tuple[str, dict[str, str]]:
    """Store the explanation as JSON and the page of a verdict.

    Parameters
    ----------
    facts : GateFacts
        Model, day, rows and plan.
    verdict : Verdict
        With all its criteria.
    explanation : Explanation
        Of the same challenger.
    lake, tracking : Lake, Tracking
        Where the page goes.

    Returns
    -------
    tuple of (str, dict of str to str)
        Address of the page, relative to the lake, and the SHA-256 of both by name.
    """
    run_id = facts.run_id
    page = render_gate_page(facts, verdict, explanation)
    digests = {
        EXPLANATION: tracking.log_evidence(
            run_id, EXPLANATION, json.dumps(to_json(explanation), indent=2).encode()
        ),
        GATE_PAGE: tracking.log_evidence(run_id, GATE_PAGE, page.encode()),
    }
    # A number, as every report has one; of the page itself, so that an attempt which overlaps with
    # another one does not replace what was decided on.
    number = hashlib.sha256(f"{run_id}/{digests[GATE_PAGE]}".encode()).hexdigest()[:9]
    table = f"{facts.model}__gate"
    return write_report(lake.root, table, facts.as_of, str(int(number, 16)), page), digests
