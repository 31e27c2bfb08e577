"""What differs between kinds of targets, one package each; nothing else branches on the kind."""

__all__: list[str] = []
