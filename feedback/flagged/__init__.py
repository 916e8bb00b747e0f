"""What the guard flagged or degraded, kept for operators alone: a bounded store, sessions that teach nothing more."""
