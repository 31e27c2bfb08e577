"""The steps of the loop, one module each."""

__all__: list[str] = []
