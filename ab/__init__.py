"""Experiments and statistics: assignment, summaries that add, paired bounds, guardrails.

Pure functions on values that `feedback` counts and `deploy` acts on; only `ab/files.py` reads files, for the commands.
"""
