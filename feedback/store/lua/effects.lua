-- Apply the effects of consumed events, each number of a spool once, and store how far they go.
-- Follows staging, rows and targets.
-- KEYS: lease, cursors (hash), applied (hash: spool -> highest number), counters (hash; `bus.lost`: numbers left out)
-- ARGV: owner, cursor field, JSON [position after which the batch was read, [[position, spool, number, [[command, ...],
-- ...], number with which its write began], ...]], JSON settings
-- A command is a verb, or one of the Redis commands that staging knows. Returns {events applied, place in the batch of
-- the event that cannot be applied (0: none), why}; {-1} when the lease is not the owner's any more: nothing changed;
-- {-2, 0, rows to be read from files first}: nothing changed either (ARGV[5] and so on, see rows); {-3}: nothing, since
-- the batch does not begin at the cursor: a Redis that crashed meanwhile forgot its last moments.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { -1, 0, '' } end
local after, batch = unpack(cjson.decode(ARGV[3]))
if (redis.call('HGET', KEYS[2], ARGV[2]) or '') ~= after then return { -3, 0, '' } end

-- learn nothing more of a session: sessions hash, session, when
function verbs.hold(sessions, session, at) hset(sessions, session, at) end

-- push a shadow job unless its session is held back or the queue is full: jobs zset, payloads hash, counters, id,
-- payload, score, bound, sessions hash, session
local waiting, before
resets[#resets + 1] = function() waiting = before end
function verbs.push(jobs, payloads, counters, id, payload, score, bound, sessions, session)
  if hget(sessions, session) or hget(sessions .. ':before', session) then
    hset(sessions, session, score)
    return add(counters, 'quarantined', 1)
  end
  waiting = waiting or redis.call('ZCARD', jobs)
  if waiting >= tonumber(bound) then return add(counters, 'queue_full', 1) end
  if hget(payloads, id) then return end
  hset(payloads, id, payload)
  later('ZADD', jobs, score, id)
  add(counters, 'queued', 1)
  waiting = waiting + 1
end

local reached = after
local applied, faulty, fault = 0, 0, ''
for place, entry in ipairs(batch) do
  local position, spool, n = entry[1], entry[2], entry[3]
  local highest = number(KEYS[3], spool)
  local torn = n > highest + 1 and (entry[5] or 0) > 0 and entry[5] < n  -- its write comes again whole
  if n == 0 or n > highest and not torn then
    before = waiting
    local ok, why = try(entry[4])
    if not ok then
      faulty, fault = place, why
      break
    end
    if n > 0 then hset(KEYS[3], spool, n) end
    if n > highest + 1 then add(KEYS[4], 'bus.lost', n - highest - 1) end
    keep_event()
    applied = applied + 1
  end
  reached = position
end
local lacked = lacking_rows()
if lacked then return lacked end
hset(KEYS[2], ARGV[2], reached)
keep_event()
commit()
if applied > 0 then make_room() end
return { applied, faulty, fault }
