"""Operational KPIs: their names, their sums and how they are read."""
