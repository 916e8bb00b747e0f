"""Losses, targets, the trainer's stages and evaluation; entry point of `understudy train`.

May import `deploy`, `feedback`, `ab` and `understudy`. Never `serving`.
"""
