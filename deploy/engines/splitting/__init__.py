"""Control tokens in chats: found however they are spelled, split where a template writes text, refused in names.

Pure. For whoever renders what clients wrote: the gateway, shadow copies, the trainer.
"""
