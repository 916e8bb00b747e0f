"""Who is measured: peers, the gateway as it is, and what it was."""
