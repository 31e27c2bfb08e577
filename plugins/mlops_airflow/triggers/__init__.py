"""Triggers: what deferred tasks wait for, run by the triggerer."""
