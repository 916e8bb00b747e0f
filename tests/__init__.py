"""Tests mirror the tree; fixtures that all share are in conftest.py."""
