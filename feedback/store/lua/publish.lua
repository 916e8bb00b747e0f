-- Append a batch to one stream, each number of a spool once and without a gap.
-- KEYS: stream, numbers (hash: spool -> highest number), bytes (integer)
-- ARGV: cap in bytes, keep ("refuse": a full stream refuses; "oldest": it forgets its oldest entries),
--       spool, then number, value, key (of the session), number, value, key, ...
-- Returns {highest number known afterwards, accepted or known, state}; state: ok | full | gap
local stream, numbers, bytes = KEYS[1], KEYS[2], KEYS[3]
local cap, keep, spool = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local highest = tonumber(redis.call('HGET', numbers, spool) or '0')
local used = tonumber(redis.call('GET', bytes) or '0')
local first, taken, state = highest, 0, 'ok'
for i = 4, #ARGV, 3 do
  local number, value, key = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2]
  if number > highest then
    if number > highest + 1 and taken == 0 and i == 4 then
      return { highest, 0, 'gap' }
    end
    local size = #value + 64
    if used + size > cap then
      if keep == 'refuse' then
        state = 'full'
        break
      end
      while used + size > cap do
        local old = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)
        if #old == 0 then
          used = 0
          break
        end
        redis.call('XDEL', stream, old[1][1])
        used = used - #old[1][2][6] - 64
      end
    end
    redis.call('XADD', stream, '*', 's', spool, 'n', number, 'v', value, 'k', key)
    used = used + size
    highest = number
  end
  taken = taken + 1
end
if highest ~= first then
  redis.call('HSET', numbers, spool, highest)
  redis.call('SET', bytes, used)
end
return { highest, taken, state }
