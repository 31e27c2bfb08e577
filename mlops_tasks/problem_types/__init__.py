"""What differs between kinds of targets."""

__all__: list[str] = []
