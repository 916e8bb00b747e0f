"""`understudy bench breaker`: attacks in a flood beside normal requests, timed from the instant each was due.

What is measured (`main`), what is sent (`traffic`), by whom (`load`), what a degraded reply must be (`judging`); and
`processes`: the gateway with an ear on its event loop. The engines, which take 50 ms, are of `bench.gateway.engines`.
"""
