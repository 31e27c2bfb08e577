"""The steps of the loop and their evidence, as pure Python: no Airflow anywhere.

Every function here runs in a notebook, a test or a task alike. Import the module you need, for
example ``from mlops_tasks.steps.train import train``; importing the package itself costs nothing.
"""

from mlops_tasks.moved import serve_old_paths

__all__: list[str] = []

serve_old_paths()
