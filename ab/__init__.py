"""Experiments and statistics: assignment, results, guardrails.

Pure functions on values; only `ab/files.py` reads files, for the commands.
"""
