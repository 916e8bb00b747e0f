"""Tests of events, bus, outbox, pool, checks, redaction and the shadow worker."""
