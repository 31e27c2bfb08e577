"""A number: a target that is measured or counted, predicted by a number."""

__all__: list[str] = []
