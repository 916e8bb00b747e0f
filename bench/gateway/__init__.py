"""`understudy bench gateway`: the request path beside its peers, with bodies as people write them.

What is measured in which order (`plan`, `main`, kept step by step in a `record`), with which requests (`requests`), by
whom (`load`, `streaming`, `remembering`), against what (`candidates`), before which engines (`native`; in Python
`engines`), how processes are started and watched (`processes`), and how it is told (`telling`).
"""
