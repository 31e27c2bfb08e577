"""Source databases that follow from a seed, for projects whose data no package ships.

Each module writes one SQLite database by a process that its docstring describes, with the changes
that monitoring should see and when they come.
"""
