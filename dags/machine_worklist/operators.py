"""The plant's own operator: an ordinary one, that reads the lake through its hook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from mlops_airflow.hooks.lake import LakeHook

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["WorklistOperator"]


class WorklistOperator(BaseOperator):
    """Name the machines that are likeliest to fail.

    Parameters
    ----------
    predictions : str
        Table of the model's predictions.
    n_machines : int, default 10
        How many the plant can look at in a day.
    """

    def __init__(self, *, predictions: str, n_machines: int = 10, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.predictions, self.n_machines = predictions, n_machines

    def execute(self, context: Context) -> list[str]:
        """Return the machines, the likeliest first."""
        key = context["dag_run"].partition_key
        rows = LakeHook().get_conn().table(self.predictions).read(first=key, last=key)
        ranked = rows.sort_by([("score", "descending"), ("machine_id", "ascending")])
        worklist: list[str] = ranked.column("machine_id").to_pylist()[: self.n_machines]
        self.log.info("%s: look at %s", key, ", ".join(worklist))
        return worklist
