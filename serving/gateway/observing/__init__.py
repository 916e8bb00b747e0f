"""What the gateway tells of each request beside counting it: a line in the access log, and spans of those sampled.

The request path hands over one frozen record; a thread makes lines and spans of it. No text of anybody, ever.
"""
