"""`understudy bench gateway`: the request path beside its peers, with bodies as people write them.

What is measured (`main`), with which requests (`requests`), by whom (`load`), against what (`candidates`), and how
processes are started and watched (`processes`).
"""
