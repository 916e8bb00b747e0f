"""Benchmarks: each takes its data as a file, prints a table and writes JSON.

Run one with `understudy bench NAME --json FILE`. Never imported by the product.
"""
