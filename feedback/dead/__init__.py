"""Dead letters: events that could not be read or applied, kept whole, listed, and put back once.

Nothing here decides that an event is dead; that is `consume`'s and the outbox's.
"""
