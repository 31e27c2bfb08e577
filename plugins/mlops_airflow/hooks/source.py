"""Sources of datasets, by Airflow connection: databases, files and Delta tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import BaseHook

from mlops_airflow.hooks.connections import defined_connection, unusable_connection
from mlops_airflow.hooks.database import DatabaseHook
from mlops_tasks.sources import Database, DeltaStore, FileStore
from mlops_tasks.specs.source import DeltaSource, SqlSource

if TYPE_CHECKING:
    from mlops_tasks.sources import SourceConnection
    from mlops_tasks.specs.source import FileSource

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

    def get_source(self, source: SqlSource | FileSource | DeltaSource) -> SourceConnection:
        """Return the connection of a source, of the kind it needs; nothing is opened yet."""
        if isinstance(source, SqlSource):
            return Database(DatabaseHook(self.conn_id).get_url())
        connection: Any = defined_connection(self.conn_id)
        root = connection.extra_dejson.get("path")
        if not root:
            raise unusable_connection(
                self.conn_id,
                "it has no 'path' in its extra; set it to the root folder of the source, or to an "
                "address like s3://bucket/folder",
            )
        secrets = tuple(s for s in (connection.password, _token(connection)) if s)
        if isinstance(source, DeltaSource):
            return DeltaStore(root, _delta_options(connection, root), secrets)
        filesystem, path = _file_system(connection, root)
        return FileStore(filesystem, path, secrets)


def _token(connection: Any) -> str | None:
    token: str | None = connection.extra_dejson.get("aws_session_token")
    return token


def _file_system(connection: Any, root: str) -> tuple[Any, str]:
    from pyarrow import fs

    address = urlsplit(root)
    if address.scheme in ("", "file"):
        return fs.LocalFileSystem(), address.path.rstrip("/") or "/"
    if address.scheme in ("s3", "s3a"):
        return _s3(connection), f"{address.netloc}{address.path}".rstrip("/")
    from airflow.sdk import ObjectStoragePath

    try:
        storage: Any = ObjectStoragePath(root, conn_id=connection.conn_id)
        return fs.PyFileSystem(fs.FSSpecHandler(storage.fs)), str(storage.path).rstrip("/")
    except (ImportError, ValueError) as error:  # no such scheme, or no provider for it
        reason = f"its 'path' {root!r} has a scheme that nothing reads here ({error}); install "
        raise unusable_connection(
            connection.conn_id, f"{reason}the Airflow provider of that store, or correct the path"
        ) from None


def _s3(connection: Any) -> Any:
    from pyarrow import fs

    extra = connection.extra_dejson
    endpoint = urlsplit(extra.get("endpoint_url") or "")
    options = {
        "access_key": connection.login,
        "secret_key": connection.password,
        "session_token": _token(connection),
        "region": extra.get("region_name"),
        "endpoint_override": endpoint.netloc,
        "scheme": endpoint.scheme,
    }
    return fs.S3FileSystem(
        **{key: value for key, value in options.items() if value},
        connect_timeout=10,
        request_timeout=30,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=3),
    )


def _delta_options(connection: Any, root: str) -> dict[str, str]:
    if urlsplit(root).scheme not in ("s3", "s3a"):
        return {}
    extra = connection.extra_dejson
    endpoint = extra.get("endpoint_url") or ""
    options = {
        "AWS_ACCESS_KEY_ID": connection.login,
        "AWS_SECRET_ACCESS_KEY": connection.password,
        "AWS_SESSION_TOKEN": _token(connection),
        "AWS_REGION": extra.get("region_name"),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true" if endpoint.startswith("http://") else "",
    }
    return {key: str(value) for key, value in options.items() if value}
