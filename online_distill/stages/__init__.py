"""The trainer's stages of a round, one function each: files in, files and a summary out.

Each is idempotent and resumable; READY is set by the caller. No decision about going live stands here.
"""
