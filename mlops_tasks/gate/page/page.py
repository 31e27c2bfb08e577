"""The page as one HTML file with its styles and pictures inside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.figures import short_number
from mlops_tasks.gate.page.intervals import HEIGHT, WIDTH, interval_bar
from mlops_tasks.gate.page.plots import PLOT_HEIGHT, PLOT_WIDTH, curve_plots, dependence_plot
from mlops_tasks.gate.page.sections import sections
from mlops_tasks.reports import page_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_tasks.gate.explanation import Explanation
    from mlops_tasks.gate.verdict import Verdict

__all__ = ["GateFacts", "render_gate_page"]

_TEMPLATE = Path(__file__).with_name("page.html.j2")
_TONES = {"promote": "good", "keep": "odd", "ask": "ask", "cannot_tell": "odd"}
_WORDS = {
    "promote": "Promote",
    "keep": "Keep the champion",
    "ask": "A person decides",
    "cannot_tell": "Cannot tell",
}
_NEXT = {
    "promote": "It becomes the champion once its registered version has passed the smoke test.",
    "keep": "The champion goes on; the challenger is registered and may be looked at.",
    "ask": "It waits for an approval; until somebody approves, the champion goes on.",
    "cannot_tell": "The champion goes on. This is not a no: the evidence is too thin either way.",
}
_SLICES_SHOWN = 40
#: Figures that are no metrics of the gate, and what a feature's importance is a loss of.
_TITLES = {
    "mean_score": "mean predicted probability",
    "y_share": "share of positives",
    "mean_prediction": "mean prediction",
    "y_mean": "mean truth",
}
_IMPORTANCE = {"binary": "ROC AUC", "multiclass": "log loss", "regression": "R²"}


@dataclass(frozen=True, slots=True)
class GateFacts:
    """What a page says of a challenger beside verdict and explanation.

    Attributes
    ----------
    model, as_of, run_id : str
        Whose gate it was, as of which day, and the run of the challenger.
    evaluation : tuple of (str, str)
        First and last day of the rows.
    plan : mapping
        What was registered before anything was scored.
    coverage : str
        What of the evaluation window is missing; empty where nothing is.
    """

    model: str
    as_of: str
    run_id: str
    evaluation: tuple[str, str]
    plan: Mapping[str, Any]
    coverage: str = ""


def render_gate_page(facts: GateFacts, verdict: Verdict, explanation: Explanation) -> str:
    """Write the page of a verdict.

    Parameters
    ----------
    facts : GateFacts
        Model, day, rows and plan.
    verdict : Verdict
        With all its criteria.
    explanation : Explanation
        Of the same challenger.

    Returns
    -------
    str
        HTML with its styles and pictures inside; no script, no address of another resource.
    """
    found = sections(verdict.criteria)
    bars = {
        id(one): interval_bar(one, part.criteria if part.criteria[0].kind == "slice" else ())
        for part in [*found, *sections(verdict.worst_slices)]
        for one in part.criteria
    }
    return page_template(_TEMPLATE).render(
        facts=facts,
        verdict=verdict,
        explanation=explanation,
        tone=_TONES.get(verdict.verdict, "odd"),
        word=_WORDS.get(verdict.verdict, verdict.verdict),
        next=_NEXT.get(verdict.verdict, ""),
        sections=found,
        slices_shown=_SLICES_SHOWN,
        bar=lambda one: bars[id(one)],
        bar_width=WIDTH,
        bar_height=HEIGHT,
        plots=curve_plots(explanation.curves, explanation.champion_curves),
        dependences=[(one, dependence_plot(one)) for one in explanation.dependence],
        plot_width=PLOT_WIDTH,
        plot_height=PLOT_HEIGHT,
        metrics=_metrics(verdict),
        titles=_TITLES,
        importance_of=_IMPORTANCE.get(str(facts.plan.get("problem_type")), "score"),
        shorten=short_number,
    )


def _metrics(verdict: Verdict) -> list[tuple[str, float | None, float | None]]:
    """Return the figures of both, the primary metric first; bounds are drawn, not listed."""
    bounds = (f"{verdict.metric}_lower", f"{verdict.metric}_upper")
    names = dict.fromkeys((verdict.metric, *verdict.challenger, *(verdict.champion or {})))
    old = verdict.champion or {}
    return [
        (name, verdict.challenger.get(name), old.get(name)) for name in names if name not in bounds
    ]
