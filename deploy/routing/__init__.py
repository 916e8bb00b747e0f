"""The routing document, where it is kept, and which slot holds which version."""
