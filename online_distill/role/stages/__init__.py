"""The trainer's stages, a module each; the table of them is `table.py`."""
