-- End a shadow job and apply what it counts, in one call; a job that has ended changes nothing.
-- Follows staging and rows. KEYS: jobs (zset), payloads (hash)    ARGV: job, JSON [[command, ...], ...], -, settings
-- ARGV[5] and so on: see rows. Returns 1 when the job ended now, or {-2, 0, rows to be read from files first}, having
-- changed nothing. Fails, and changes nothing, where its effects cannot be applied.
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
local ok, why = try(cjson.decode(ARGV[2]))
local lacked = lacking_rows()
if lacked then return lacked end
if not ok then return redis.error_reply(why) end
hset(KEYS[2], ARGV[1], false)
hset(KEYS[2] .. ':taken', ARGV[1], false)
keep_event()
commit()
redis.call('ZREM', KEYS[1], ARGV[1])
return 1
