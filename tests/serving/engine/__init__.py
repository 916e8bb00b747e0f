"""Tests of the engine layer, on real vLLM engines."""
