"""Experiments as the controller runs them: what begins a phase, and which version is pinned. Pure; no files here."""
