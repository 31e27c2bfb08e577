"""The model card: a pack for people, as one page and as plain JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.registry.pack.lineage import draw
from mlops_tasks.reports import page_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_tasks.registry.pack.contents import Contents

__all__ = ["NOT_STATED", "model_card", "render_card"]

_TEMPLATE = Path(__file__).with_name("card.html.j2")
NOT_STATED = "not stated"
_USE = {
    "purpose": "Purpose",
    "provider": "Provider",
    "users": "Users",
    "people": "People concerned",
    "out_of_scope": "Not made for",
    "limitations": "Limitations",
    "oversight": "Oversight",
    "metric": "Why this metric",
    "retention": "Retention",
}
_SHOWN_FEATURES = 20
_SHOWN_LIBRARIES = (
    "scikit-learn",
    "skops",
    "lightgbm",
    "xgboost",
    "xgboost-cpu",
    "numpy",
    "pandas",
)


def model_card(contents: Contents, mapped: Mapping[str, Any]) -> dict[str, Any]:
    """Return the card as plain JSON; what nobody has stated or recorded says so.

    Parameters
    ----------
    contents : Contents
        Of the pack.
    mapped : mapping
        From `regulations`.
    """
    about, spec = contents.identity, contents.specification
    return {
        "model": about["model"],
        "version": about["version"],
        "description": spec.get("description") or NOT_STATED,
        "owner": spec.get("owner") or NOT_STATED,
        "problem_type": spec.get("problem_type") or NOT_STATED,
        "target": spec.get("target") or NOT_STATED,
        "estimator": spec.get("estimator") or NOT_STATED,
        "why_no_spec": spec.get("why_not", ""),
        "identity": about,
        "intended_use": [
            {"name": title, "text": contents.intended_use.get(name) or NOT_STATED}
            for name, title in _USE.items()
        ],
        "data": _data(contents),
        "checks": [
            {name: value for name, value in table.items() if name != "partitions"}
            for table in contents.contract.get("tables", ())
        ],
        "gate": _gate(contents.gate),
        "criteria": _criteria(contents.gate),
        "smoke_test": contents.gate.get("smoke_test", {}).get("reason", ""),
        "fairness": {"why_not": "", "fairness": [], "slice": []} | contents.fairness,
        "importance": _importance(contents.explanation),
        "approvals": {"why_not": "", "asked": []} | contents.approvals,
        "environment": _environment(contents.environment),
        "lineage": contents.lineage,
        "regulations": mapped,
        "ledger": {
            "n_entries": len(contents.ledger.get("entries", ())),
            "head": contents.ledger.get("head", {}),
        },
    }


def _data(contents: Contents) -> dict[str, Any]:
    pins = contents.pins
    if "why_not" in pins:
        return {"windows": [], "tables": [], "why_not": pins["why_not"]}
    tables = [
        {name: pin[name] for name in ("table", "first", "last", "n_rows", "digest")}
        | {"role": role, "version": max(pin["versions"], default=-1)}
        for role, pin in [
            *(("input", one) for one in pins["inputs"].values()),
            ("labels", pins["labels"]),
        ]
    ]
    names = {"train": "trained on", "evaluation": "judged on"}
    windows = [
        {
            "name": title,
            "first": pins[window][0],
            "last": pins[window][1],
            "missing": pins["missing"].get(window, []),
        }
        for window, title in names.items()
        if pins[window][0]
    ]
    return {"windows": windows, "tables": tables, "why_not": ""}


def _gate(gate: Mapping[str, Any]) -> dict[str, Any]:
    if "verdict" not in gate:
        return {"why_not": gate.get("why_not", ""), "metrics": []}
    ours, theirs = gate["challenger"], gate.get("champion") or {}
    names = [name for name in ours if not name.endswith(("_lower", "_upper"))]
    return {
        "why_not": "",
        "verdict": gate["verdict"],
        "reason": gate["reason"],
        "n_rows": gate["n_rows"],
        "metric": gate["metric"],
        "champion_version": gate.get("champion_version"),
        "suspects": [one["text"] for one in gate.get("suspects", ())],
        "metrics": [
            {
                "name": name,
                "value": ours[name],
                "lower": ours.get(f"{name}_lower"),
                "upper": ours.get(f"{name}_upper"),
                "champion": theirs.get(name),
            }
            for name in names
        ],
    }


def _criteria(gate: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the gate asked, but for slices that are fine: fairness.json has all of them."""
    judged = gate.get("report", {}).get("verdict", gate).get("criteria", ())
    names = ("name", "kind", "answer", "text")
    return [
        {name: one[name] for name in names}
        for one in judged
        if one["kind"] != "slice" or one["answer"] == "alarm"
    ]


def _importance(explanation: Mapping[str, Any]) -> dict[str, Any]:
    found = explanation.get("importance", {})
    largest = max(found.values(), default=0.0)
    return {
        "why_not": "" if found else explanation.get("why_not", "not measured"),
        "n_features": len(found),
        "features": [
            {"name": name, "value": value, "share": value / largest if largest else 0.0}
            for name, value in list(found.items())[:_SHOWN_FEATURES]
        ],
    }


def _environment(environment: Mapping[str, Any]) -> dict[str, Any]:
    there = {one["name"]: one["version"] for one in environment.get("distributions", ())}
    return {
        "python": environment.get("python", ""),
        "system": f"{environment.get('system', '')} {environment.get('machine', '')}".strip(),
        "n_distributions": len(there),
        "libraries": {name: there[name] for name in _SHOWN_LIBRARIES if name in there},
        "recorded_by": environment.get("recorded_by", ""),
        "why_not": environment.get("why_not", ""),
    }


def render_card(card: Mapping[str, Any]) -> str:
    """Return the card as one HTML page that loads nothing from anywhere."""
    return page_template(_TEMPLATE).render(card=card, drawing=draw(card["lineage"]), alone=False)
