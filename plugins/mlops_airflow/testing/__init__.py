"""Fixtures of pytest for tests of your own projects; pytest finds them by itself."""
