-- Give a lease back, unless it is somebody else's by now.
-- KEYS: lease    ARGV: owner    Returns 1 when it was given back.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
