"""Engines as everybody above sees them: address, key, names, fingerprint, client. No torch, no vLLM."""
