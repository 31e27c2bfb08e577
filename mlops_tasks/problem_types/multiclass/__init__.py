"""Several classes: a target that names one, predicted by one probability for each."""

__all__: list[str] = []
