"""Versions: immutable folders with a signed manifest."""
