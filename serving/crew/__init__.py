"""Several workers of one gateway on one port: forked, kept alive and stopped by a process that opens nothing itself.

Nothing here runs where `gateway.workers` is 1. What a worker does is `serving.gateway.main`.
"""
