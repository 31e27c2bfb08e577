"""Which queue does this ticket belong to? Asked when it is opened."""
