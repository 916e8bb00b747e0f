"""The audit log, its chain of hashes, and the commands that read it."""
