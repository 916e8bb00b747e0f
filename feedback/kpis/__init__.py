"""Operational KPIs: their names, what an event adds to their sums, and how those are read."""
