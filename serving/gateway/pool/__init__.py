"""Engines by address: their idle connections, how much each has to do, and which failed lately. No HTTP here."""
