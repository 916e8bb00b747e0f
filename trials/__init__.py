"""Trying the running system from outside: starting it, clients that watch it, models to swap, swaps under load; and
what rounds learn from without it (`samples`).

For benchmarks and tests, which both import it; imports the product, and is imported by neither product nor demo.
"""
