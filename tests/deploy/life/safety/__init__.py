"""Tests of `deploy.life.safety`."""
