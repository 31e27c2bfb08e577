"""Sources of datasets, by Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

from mlops_airflow.hooks.connections import defined_connection
from mlops_tasks.sources import SOURCES

if TYPE_CHECKING:
    from mlops_tasks.sources import Source
    from mlops_tasks.specs import SourceSpec

__all__ = ["SourceHook"]


class SourceHook(BaseHook):
    """Turn the connection of a source into what reads it.

    Parameters
    ----------
    conn_id : str
        Connection. Of a database: see `DatabaseHook`. Of files and Delta tables: its extra has the
        root as ``path``, a folder or an address like ``s3://bucket/folder``. For S3 the login is
        the access key and the password the secret key, or both are empty and the machine's own
        role counts; the extra may have ``endpoint_url``, ``region_name`` and
        ``aws_session_token``.

    Notes
    -----
    S3 is read by Arrow and by delta-rs themselves: they need no further package. Other addresses
    go through Airflow's `ObjectStoragePath` and need the provider of their store.
    """

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id

    def get_source(self, source: SourceSpec) -> Source:
        """Return the source of a spec's kind at the connection; nothing is opened yet."""
        return SOURCES[source.kind].from_connection(defined_connection(self.conn_id))
