"""Where a pack answers what two regulations ask for, point by point, and where it does not.

Regulation (EU) 2024/1689, Annex IV, has nine points; Regulation (EU) 2016/679, Article 30(1), has
seven letters, and 30(2) four for processors. The wording here is ours. A pack is evidence to write
such documents from; it is none of them, and no advice on the law.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_tasks.registry.pack.contents import Contents

__all__ = ["ANNEX_IV", "ARTICLE_30", "COVERED", "IN_PART", "NOT_COVERED", "Point", "regulations"]

COVERED, IN_PART, NOT_COVERED = "covered", "in part", "not covered"


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a regulation.

    Attributes
    ----------
    number, asks : str
        Its number, and what it asks for.
    where : tuple of str
        Files of the pack that answer some of it; none where it is never covered.
    missing : str
        What of it the pack does not have, and why.
    stated : tuple of str
        Fields of `IntendedUseSpec` that it is answered from.
    only_stated : bool
        Without any of these it is not covered, whatever else is in the pack.
    whole : bool
        With all of these nothing is missing.
    """

    number: str
    asks: str
    where: tuple[str, ...]
    missing: str
    stated: tuple[str, ...] = ()
    only_stated: bool = False
    whole: bool = False


ANNEX_IV = (
    Point(
        "1",
        "General description: intended purpose, provider, version and its relation to earlier "
        "ones, versions of software, forms of delivery, hardware, user interface, instructions",
        ("intended_use.json", "pack.json", "specification.json", "bom.cdx.json"),
        "forms of delivery, hardware to run on, user interface and instructions for use: they "
        "belong to the product that the model is part of",
        ("purpose", "provider"),
    ),
    Point(
        "2",
        "Elements and development: methods, design, architecture, training data with provenance "
        "and cleaning, oversight, pre-determined changes, validation and testing, cybersecurity",
        (
            *("specification.json", "pins.json", "contract.json", "lineage.json", "gate.json"),
            *("explanation.json", "environment.json", "bom.cdx.json"),
        ),
        "the reasons for design choices, how labels are given by people, the cybersecurity of the "
        "installation, and the signatures of those responsible for tests",
        ("oversight",),
    ),
    Point(
        "3",
        "Monitoring, functioning and control: limits of performance, accuracy for groups of "
        "people, foreseeable unintended outcomes and risks, human oversight, input data",
        ("intended_use.json", "gate.json", "fairness.json", "specification.json", "ledger.json"),
        "foreseeable unintended outcomes and risks to health, safety and fundamental rights: a "
        "person has to assess them",
        ("limitations", "oversight"),
    ),
    Point(
        "4",
        "Why the performance metrics are appropriate for this system",
        ("intended_use.json", "gate.json"),
        "why the metric fits: intended_use.metric of the spec is where to say it",
        ("metric",),
        only_stated=True,
        whole=True,
    ),
    Point(
        "5",
        "The risk management system of Article 9",
        (),
        "it is a process of the provider over the whole life of the system, outside of what an "
        "installation can record",
    ),
    Point(
        "6",
        "Relevant changes to the system through its lifecycle",
        ("ledger.json", "pack.json"),
        "changes outside of the model: its data, code and versions are here, the product around it "
        "is not",
    ),
    Point(
        "7",
        "Harmonised standards applied, or the solutions adopted instead",
        (),
        "which standards apply, and by what else the requirements are met, is the provider's word",
    ),
    Point(
        "8",
        "A copy of the EU declaration of conformity of Article 47",
        (),
        "the provider draws it up and signs it; nothing here is one",
    ),
    Point(
        "9",
        "How performance is evaluated after it is on the market: Article 72, with the plan",
        ("specification.json", "ledger.json"),
        "the post-market monitoring plan itself; what is monitored, the limits, and what was found "
        "until the pack was made are here",
    ),
)

ARTICLE_30 = (
    Point(
        "1(a)",
        "Name and contact of the controller, its representative and data protection officer",
        ("intended_use.json",),
        "representative and data protection officer, unless intended_use.provider names them",
        ("provider",),
        only_stated=True,
    ),
    Point(
        "1(b)",
        "Purposes of the processing",
        ("intended_use.json",),
        "intended_use.purpose of the spec is where to say it",
        ("purpose",),
        only_stated=True,
        whole=True,
    ),
    Point(
        "1(c)",
        "Categories of data subjects and of personal data",
        ("specification.json", "intended_use.json"),
        "the columns that the spec calls personal are named, by no category of data; whom they "
        "are about is said in intended_use.people",
        ("people",),
    ),
    Point(
        "1(d)",
        "Categories of recipients",
        (),
        "who is given predictions or data is decided outside of this installation",
    ),
    Point(
        "1(e)",
        "Transfers to third countries and their safeguards",
        (),
        "where machines and recipients are is not known here",
    ),
    Point(
        "1(f)",
        "Envisaged time limits for erasure",
        ("intended_use.json",),
        "intended_use.retention of the spec is where to say it",
        ("retention",),
        only_stated=True,
        whole=True,
    ),
    Point(
        "1(g)",
        "Technical and organisational security measures of Article 32(1)",
        ("README.txt", "ledger.json", "bom.cdx.json"),
        "all but integrity: digests, the chain of the ledger and this signature are here; access, "
        "encryption, backups and organisation are not",
    ),
    Point(
        "2",
        "The record of a processor: on whose behalf, categories of processing, transfers, security",
        (),
        "on whose behalf data are processed is a contract; for security see 1(g)",
    ),
)


def regulations(contents: Contents) -> dict[str, Any]:
    """Return both mappings for one pack: what is answered depends on what its spec states."""
    return {
        "note": "What a pack holds of what these points ask for; no document of either regulation, "
        "and no advice on the law.",
        "ai_act_annex_iv": {
            "title": "Regulation (EU) 2024/1689 (AI Act), Annex IV: technical documentation",
            "points": [_answered(point, contents.intended_use) for point in ANNEX_IV],
        },
        "gdpr_article_30": {
            "title": "Regulation (EU) 2016/679 (GDPR), Article 30: records of processing",
            "points": [_answered(point, contents.intended_use) for point in ARTICLE_30],
        },
    }


def _answered(point: Point, use: dict[str, Any]) -> dict[str, Any]:
    unstated = [name for name in point.stated if not use.get(name)]
    if not point.where or (point.only_stated and unstated):
        answer = NOT_COVERED
    else:
        answer = COVERED if point.whole else IN_PART
    return {
        "point": point.number,
        "asks": point.asks,
        "answer": answer,
        "where": list(point.where) if answer != NOT_COVERED else [],
        "missing": "" if answer == COVERED else _missing(point, unstated),
    }


def _missing(point: Point, unstated: list[str]) -> str:
    if not unstated or point.only_stated:
        return point.missing
    names = ", ".join(f"intended_use.{name}" for name in unstated)
    return f"{point.missing}; not stated in the spec: {names}"
