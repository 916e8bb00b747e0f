"""The guard: says of texts whether they attack a model, by arithmetic on a copy, cheap stages first.

Pure but for the weights that are read once; what becomes of a verdict is the gateway's affair.
"""
