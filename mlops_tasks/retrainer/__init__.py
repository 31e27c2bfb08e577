"""The process that trains a recorded model again, in an environment made anew."""
