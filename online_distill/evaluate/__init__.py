"""Judging a student: agreement, held-out pairs, fingerprints."""
