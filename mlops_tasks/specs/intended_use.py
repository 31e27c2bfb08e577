"""What a model is for, in the words of those who answer for it."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from mlops_tasks.specs.base import SpecModel

__all__ = ["IntendedUseSpec"]

Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]


class IntendedUseSpec(SpecModel):
    """What a model is for: plain text for its evidence pack, all of it optional.

    Nothing is computed from it. What is left out is shown as "not stated".

    Attributes
    ----------
    purpose : str
        What the predictions are for, and which decision they support.
    provider : str
        The organisation that answers for the model, and how to reach it.
    users : str
        Who works with the predictions.
    people : str
        Whom the rows are about, such as ``"applicants for consumer credit"``.
    out_of_scope : str
        Uses that it was not made for.
    limitations : str
        Where it is known to be wrong, or has never been tried.
    oversight : str
        Who watches it, and how they overrule or stop it.
    metric : str
        Why the gate's metric fits this purpose.
    retention : str
        How long data and predictions are kept.
    """

    purpose: Words = ""
    provider: Words = ""
    users: Words = ""
    people: Words = ""
    out_of_scope: Words = ""
    limitations: Words = ""
    oversight: Words = ""
    metric: Words = ""
    retention: Words = ""
