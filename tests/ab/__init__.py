"""Tests of experiments and statistics."""
