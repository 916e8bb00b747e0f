-- Rows that lie in files (feedback/rows/): a tenant's field of a hash says which, and is changed here alone.
-- KEYS: spilled (hash), rows of the tenant, bytes (hash), counters (hash)
-- ARGV: what to do, tenant, what its field must hold, then
--   name: what it holds from now on, counter, by       returns 1, or 0 where somebody else was faster
--   take: bytes of a row beside its text, unit, text, unit, text, ...    takes rows out of Redis that are as they were
--     when the file was written; returns how many, or -1 where the files are others by now
local tenant, expected = ARGV[2], ARGV[3]
local current = (redis.call('HGET', KEYS[1], tenant) or '') == expected
if ARGV[1] == 'name' then
  if not current then return 0 end
  redis.call('HSET', KEYS[1], tenant, ARGV[4])
  if ARGV[5] ~= '' then redis.call('HINCRBY', KEYS[4], ARGV[5], ARGV[6]) end
  return 1
end
if not current then return -1 end
local taken, freed = 0, 0
for at = 5, #ARGV, 2 do
  local unit, text = ARGV[at], ARGV[at + 1]
  if redis.call('HGET', KEYS[2], unit) == text then
    redis.call('HDEL', KEYS[2], unit)
    taken, freed = taken + 1, freed + #text + #unit + tonumber(ARGV[4])
  end
end
if taken > 0 then
  redis.call('HINCRBY', KEYS[3], 'rows', 0 - freed)
  redis.call('HINCRBY', KEYS[3], KEYS[2], 0 - freed)
  redis.call('HINCRBY', KEYS[4], 'kpi_rows_spilled', taken)
end
return taken
