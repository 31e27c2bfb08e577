from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.quality.discovery import DAGS

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


@pytest.fixture(scope="session")
def dag_bag() -> DagBag:
    """Every Dag file of the repository, parsed once as the dag-processor parses it."""
    from airflow.dag_processing.dagbag import BundleDagBag

    return BundleDagBag(dag_folder=DAGS, bundle_path=DAGS)
