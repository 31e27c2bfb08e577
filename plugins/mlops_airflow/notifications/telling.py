"""Tell people of incidents: once for each change, whoever comes first."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk.observability import stats

from mlops_airflow.notifications.channels import channels_of, send
from mlops_tasks.policy.incidents import deliver

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mlops_tasks.policy.incidents import Delivery, Incident
    from mlops_tasks.registry.ledger import Ledger

__all__ = ["count_incidents", "tell"]


def tell(
    incidents: Iterable[Incident],
    notify: Sequence[str] | None,
    *,
    ledger: Ledger,
    dag_run: str = "",
    context: Mapping[str, Any] | None = None,
) -> list[Delivery]:
    """Send what people are to be told of and have not been told yet.

    Parameters
    ----------
    incidents : iterable of Incident
        As they are now; also those of which an earlier message failed.
    notify : sequence of str or None
        ``notify`` of the spec.
    ledger : Ledger
        Where it is written down.
    dag_run : str, optional
        Of the entries.
    context : mapping, optional
        Of the task, for the templates of notifiers.

    Returns
    -------
    list of Delivery
        What was sent or failed just now. Nothing is raised: the next clock tries again.
    """
    channels, post = channels_of(notify), partial(send, context=context)
    about: dict[str, Any] = {"ledger": ledger, "dag_run": dag_run}
    return [done for one in incidents for done in deliver(one, channels, post, **about)]


def count_incidents(subject: str, incidents: Iterable[Incident]) -> None:
    """Report how many incidents of a model or dataset are open, as the metric ``mlops.incidents``.

    Parameters
    ----------
    subject : str
        The model or dataset.
    incidents : iterable of Incident
        Its newest ones.
    """
    n_open = sum(one.is_open for one in incidents)
    stats.gauge("mlops.incidents", n_open, tags={"subject": subject})
