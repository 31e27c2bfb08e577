"""Datasets that several models share, one file each."""
