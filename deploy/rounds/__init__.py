"""Rounds of training: one table of states, a folder for each stage."""
