"""`understudy bench gateway`: the request path beside its peers, with bodies as people write them.

What is measured (`main`), with which requests (`requests`), by whom (`load`), against what (`candidates`), before
which engines (`engines`), and how processes are started and watched (`processes`).
"""
