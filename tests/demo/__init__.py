"""Tests of the demo world and of its models."""
