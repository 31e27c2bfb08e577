"""Which machines does the plant look at tomorrow? An ordinary Dag beside a model."""
