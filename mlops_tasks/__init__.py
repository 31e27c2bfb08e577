"""The steps of the loop and their evidence, as pure Python: no Airflow anywhere.

Every function here runs in a notebook, a test or a task alike. Import the module you need, for
example ``from mlops_tasks.training import train``; importing the package itself costs nothing.
"""

__all__: list[str] = []
