"""What tenants may use: requests, tokens and requests at once, counted here or in Redis by one rule.

Nothing here reads a request or writes a reply.
"""
