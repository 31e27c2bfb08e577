"""What a person may write into the configuration of a run: the parameters of its Dag, no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from mlops_tasks.spelling import did_you_mean

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["refuse_unknown_conf"]


def refuse_unknown_conf(context: Context) -> None:
    """Fail a run whose configuration has a key that no parameter has; Airflow would ignore it.

    Parameters
    ----------
    context : Context
        Of a task that is about to be executed; this is its ``pre_execute``.

    Raises
    ------
    AirflowFailException
        Naming the key, the closest parameter and all of them.
    """
    run: Any = context["dag_run"]
    dag: Any = context["dag"]
    valid = list(dag.params)
    if unknown := sorted(set(run.conf or {}) - set(valid)):
        meant = "; ".join(f"{key!r}: {did_you_mean(key, valid)}" for key in unknown)
        raise AirflowFailException(
            f"{dag.dag_id} has no parameter {unknown}, so the run would be another one than was "
            f"meant; trigger it again with the right names. {meant}"
        )
