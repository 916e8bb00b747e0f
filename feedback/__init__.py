"""What live traffic teaches: events, their way over the bus, comparison of the two arms, the hard pool, KPIs.

One room for each: bus, outbox, consume, shadow, checks, inputs, kpis, pool, privacy, store. May import `ab` and
`understudy`; asks engines only through the Protocol in `shadow/asking.py`. Never torch.
"""
