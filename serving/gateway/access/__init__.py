"""Who may ask: keys of clients as the state directory keeps them, made and revoked by `understudy keys`.

Nothing here knows of requests; a key itself is never kept, only its HMAC.
"""
