"""The lake, by Airflow connection."""

from __future__ import annotations

import os
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
    hook_name = "Folder (lake, or files of a source)"

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

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the folder can be used, and what for: Airflow's Test button.

        Files of a source are only read, so a folder that cannot be written to is no error where it
        has any.
        """
        from mlops_tasks.exceptions import MlopsError
        from mlops_tasks.lake import probe_lake

        root = self.get_conn().root
        try:
            found = probe_lake(root)
            wrong = "" if root.exists() else "; a source of files must be there: correct its path"
            return True, f"{root}: {found}{wrong}"
        except MlopsError as error:
            if root.is_dir() and os.access(root, os.R_OK) and any(root.iterdir()):
                return True, f"{root} can be read, so it serves a source. It is no lake: {error}"
            return False, str(error)
