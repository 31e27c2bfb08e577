"""Decorators below ``@task``: a function that is a step of the loop."""
