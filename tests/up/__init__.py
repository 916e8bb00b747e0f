"""Tests of `understudy up`: supervisor, preflight, view, replay, demo application and report figures."""
