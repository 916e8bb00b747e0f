"""The guard as operators change it: what the routing document says of it, whose breaker is closed, what was flagged."""
