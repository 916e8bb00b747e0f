"""From a request's end to the bus: queue, spool on disk, producer thread.

Nothing here is waited for by a request.
"""
