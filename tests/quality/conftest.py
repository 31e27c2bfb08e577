from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from typing import TYPE_CHECKING

import pytest

from tests.quality.discovery import DAGS

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

# Airflow reads this once, at its first import; without it, it would write to the user's home.
if "AIRFLOW_HOME" not in os.environ:
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def dag_bag() -> DagBag:
    """Every Dag file of the repository, parsed once as the dag-processor parses it."""
    from airflow.dag_processing.dagbag import BundleDagBag

    return BundleDagBag(dag_folder=DAGS, bundle_path=DAGS)
