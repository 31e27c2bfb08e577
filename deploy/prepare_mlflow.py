"""Make MLflow's bucket and tables ready; runs once before the server."""

from __future__ import annotations

import os
import subprocess
from urllib.parse import urlsplit


def create_bucket(endpoint: str, bucket: str) -> None:
    """Create the bucket unless it is there.

    Parameters
    ----------
    endpoint, bucket : str
        Address of the S3 server, and the bucket's name.
    """
    import boto3  # part of the MLflow image only

    client = boto3.client("s3", endpoint_url=endpoint)
    if bucket not in {found["Name"] for found in client.list_buckets()["Buckets"]}:
        client.create_bucket(Bucket=bucket)


if __name__ == "__main__":
    create_bucket(
        os.environ["MLFLOW_S3_ENDPOINT_URL"],
        urlsplit(os.environ["MLFLOW_ARTIFACTS_DESTINATION"]).netloc,
    )
    subprocess.run(["mlflow", "db", "upgrade", os.environ["MLFLOW_BACKEND_STORE_URI"]], check=True)
