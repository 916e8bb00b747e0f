"""Tests of the shared kernel and of the command line."""
