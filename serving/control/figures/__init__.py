"""The control plane's page of metrics: versions, slots, pool, rounds, bus and disk, as `status` tells them.

Reads only. What one process counts by itself is on that process's own page.
"""
