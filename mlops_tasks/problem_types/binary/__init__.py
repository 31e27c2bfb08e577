"""Two classes: a label that is true or false, and a score that is the probability of true."""

__all__: list[str] = []
