"""Events, bus, outbox, hard pool, checks, KPIs, redaction and the shadow worker.

May import `ab` and `understudy`; asks engines only through the Protocol in `asking.py`. Never torch.
"""
