"""Divergences on a teacher's top-k tokens and one tail bucket: a module each, a table, and the fused gradient.

Pure functions on tensors: no configuration, no files.
"""
