"""A version's life from gate to live: pure decisions, the canary, and what the controller remembers."""
