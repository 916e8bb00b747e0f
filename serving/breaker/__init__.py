"""One circuit breaker as a table, with an injected clock: before engines, and before users who attack. Pure but for
`openings`, which carries openings from gateway to gateway.
"""
