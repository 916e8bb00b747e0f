"""Weights written tensor by tensor in constant memory, into a draft that goes on after a kill."""
