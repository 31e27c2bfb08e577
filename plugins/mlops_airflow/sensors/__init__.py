"""Sensors: wait for partitions of the lake and for labels, deferred or on a worker."""
