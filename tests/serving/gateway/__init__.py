"""Tests of the gateway before real HTTP servers written for them; nothing of ours is replaced."""
