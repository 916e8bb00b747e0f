"""`understudy up`: preflight, generated configuration, supervisor, live view and the run until a swap.

Decisions (restart table, settings, figures of the view) are pure; processes, sockets and the terminal stand
at the edge. Starts the application only as a subprocess and never imports it.
"""
