"""Pages of one round and of one version, as text for a terminal."""
