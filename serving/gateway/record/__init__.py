"""What becomes of a copy of a request and its reply, in a process beside the gateway's.

`raw` is what the request path hands over, `assembling` makes an event of it, `opening` starts the process of which
`process` is the program, and `bus` stands for a bus that nobody has told of yet.
"""
