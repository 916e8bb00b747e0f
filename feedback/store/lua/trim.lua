-- Forget the entries of a stream up to a position whose effects are stored.
-- KEYS: stream, bytes    ARGV: position    Returns the number of entries removed.
local removed = 0
while true do
  local old = redis.call('XRANGE', KEYS[1], '-', ARGV[1], 'COUNT', 256)
  if #old == 0 then break end
  local ids, freed = {}, 0
  for i, entry in ipairs(old) do
    ids[i] = entry[1]
    freed = freed + #entry[2][6] + 64
  end
  redis.call('XDEL', KEYS[1], unpack(ids))
  local left = tonumber(redis.call('GET', KEYS[2]) or '0') - freed
  redis.call('SET', KEYS[2], math.max(0, left))
  removed = removed + #old
end
return removed
