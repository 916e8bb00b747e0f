"""Consumption: partitions by fenced lease, effects and numbers in one call, and the worker's two loops."""
