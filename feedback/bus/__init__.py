"""The bus: one Protocol, Redis Streams and Kafka behind it.

Knows numbered bytes in partitions; what an event means is `events.py`'s.
"""
