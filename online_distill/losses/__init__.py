"""Divergences on a teacher's top-k tokens and one tail bucket. Pure functions on tensors."""
