"""What MLflow's page of a registered model says: what our aliases mean, and what moves them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_tasks.registry.tracking import Tracking

__all__ = ["describe_model", "model_description", "version_description"]


def model_description(name: str) -> str:
    """Return the description of a registered model, as Markdown.

    Parameters
    ----------
    name : str
        Registered model.
    """
    roll_back = f'`mlops rollback {name} --reason "..."`'
    promote = f'`mlops promote {name} VERSION --reason "..."`'
    return f"""\
**The aliases below follow the ledger, and nothing is decided by them.**

- `champion` is the version that scores.
- `previous` is the one that it replaced: a rollback returns to it.
- `challenger` is the newest trained version, until it becomes the champion. Where the gate has
  kept the champion, its tag `mlops.verdict_reason` says why.

**Leave the button *Promote model* alone, and do not move aliases here.** The button copies a
version to another registered model, which nothing reads. An alias that is moved here changes no
decision; it is reported, and wrong until a person decides: `mlops ledger aliases {name}`. Instead:

| to | in Airflow, for a model project | in a terminal |
|---|---|---|
| answer a release that waits for a person | *Browse*, *Required Actions* | |
| ask again for a release | trigger `{name}.release`, the version as *Partition Key* | |
| make a version the champion on your word | | {promote} |
| return to a former champion | trigger `{name}.rollback` | {roll_back} |
| take a version to another environment | | there, `mlops copy {name} VERSION` |
| see who decided, and why | | `mlops history {name}` |
"""


def version_description(name: str, text: str = "") -> str:
    """Return the description of a version: the button that misleads stands on its page.

    Parameters
    ----------
    name : str
        Registered model.
    text : str, optional
        What else is said of it.
    """
    note = (
        f"*Promote model* would copy this version to where nothing reads it. How it becomes the "
        f"champion, or returns to be it, says the description of `{name}`."
    )
    return f"{text}\n\n{note}" if text else note


def describe_model(name: str, *, tracking: Tracking) -> None:
    """Make the registered model with its description, or give it one where it has none.

    What a person has written there stays.

    Parameters
    ----------
    name : str
        Registered model.
    tracking : Tracking
        The registry.
    """
    from mlflow.exceptions import MlflowException

    text = model_description(name)
    try:
        tracking.client.create_registered_model(name, description=text)
    except MlflowException as error:  # also when the reply to our own first call was lost
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        if not tracking.client.get_registered_model(name).description:
            tracking.client.update_registered_model(name, description=text)
