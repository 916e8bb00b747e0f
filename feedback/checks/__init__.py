"""Checks of a teacher reply against a student reply: semantic, logic, quality; one module each.

`building.py` makes them from the configuration and runs them. No I/O but what a check's own model needs.
"""
