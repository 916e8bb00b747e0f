"""A round's data: which samples, and text turned into tokens."""
