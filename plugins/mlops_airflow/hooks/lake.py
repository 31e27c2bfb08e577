"""The lake, by Airflow connection."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException

from mlops_tasks.lake import Lake

__all__ = ["LakeHook"]


class LakeHook(BaseHook):
    """Give the lake that a connection of type ``file`` points at.

    Parameters
    ----------
    lake_conn_id : str, default "lake_default"
        Connection whose extra ``path`` is the root folder.
    """

    conn_name_attr = "lake_conn_id"
    default_conn_name = "lake_default"
    conn_type = "file"
    hook_name = "Lake"

    def __init__(self, lake_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.lake_conn_id = lake_conn_id

    def get_conn(self) -> Lake:
        """Return the lake."""
        path = self.get_connection(self.lake_conn_id).extra_dejson.get("path")
        if not path:
            raise AirflowException(
                f"connection {self.lake_conn_id!r} has no 'path' in its extra; set it to the "
                "folder of the lake"
            )
        return Lake(Path(path))
