"""Shared kernel: errors, ids, clock, files, configuration loading and the command table.

Imports nothing of the other packages statically; they are named in tables and loaded on use. Never torch.
"""

__version__ = "0.1.0"
