"""The linear model of the guard: log-odds of an attack from hashed pieces of a folded text. Arithmetic alone.

Its weights lie beside it, written by `python -m trials.guard.train`; docs/guard-model.md is their card.
"""
