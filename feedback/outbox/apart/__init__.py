"""An outbox in a process of its own, so that neither redaction nor commits hold up whoever hands events over.

`handle` is what the caller has of it, `server` what runs in the process, `frames` what travels between them.
"""
