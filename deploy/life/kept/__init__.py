"""What a controller leaves to its successor: its state under its own number, the time that passed, what to do when
either is lost. Nothing here decides on a version.
"""
