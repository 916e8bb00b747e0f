"""Rows of users beyond what Redis may hold: Parquet files of a tenant, of which the newest that names a user counts.

Redis alone says which files there are, and a row that it holds stands above all of them. Reckons nothing.
"""
