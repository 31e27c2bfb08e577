"""Two classes: a target that is true or false, predicted by the probability of true."""

__all__: list[str] = []
