-- Apply the effects of consumed events, each number of a spool once, and store how far they go.
-- KEYS: lease, cursors (hash), applied (hash: spool -> highest number), counters (hash; `bus.lost`: numbers left out)
-- ARGV: owner, cursor field, JSON [[position, spool, number, [[command, ...], ...]], ...]
-- A command is a Redis command, or one of the verbs below. Returns {events applied, place in the batch of the
-- event that cannot be applied (0: none), why}; {-1} when the lease is not the owner's any more: nothing changed.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { -1, 0, '' } end
local reached = redis.call('HGET', KEYS[2], ARGV[2]) or ''
-- The first write: what Redis refuses for want of memory or disk it refuses here, where nothing is half done,
-- and not at a later one. So what fails further down is the fault of its event.
redis.call('HSET', KEYS[2], ARGV[2], reached)

local function count(key, kpi, value, sign)
  redis.call('HINCRBY', key, kpi .. ':n', sign)
  redis.call('HINCRBYFLOAT', key, kpi .. ':s', string.format('%.9g', sign * value))
  redis.call('HINCRBYFLOAT', key, kpi .. ':q', string.format('%.9g', sign * value * value))
end

local function join(target, kpi, value, prefix)
  for i = 1, #target.keys do
    local old = target.kpis[kpi]
    if old then count(prefix .. target.keys[i], kpi, old, -1) end
    count(prefix .. target.keys[i], kpi, value, 1)
  end
  target.kpis[kpi] = value
end

local verbs = {}

-- push a shadow job unless the queue is full: job, jobs zset, payloads hash, counters, id, payload, score, bound
function verbs.push(jobs, payloads, counters, id, payload, score, bound)
  if redis.call('ZCARD', jobs) >= tonumber(bound) then
    redis.call('HINCRBY', counters, 'queue_full', 1)
    return
  end
  if redis.call('HSETNX', payloads, id, payload) == 1 then
    redis.call('ZADD', jobs, score, id)
    redis.call('HINCRBY', counters, 'queued', 1)
  end
end

-- forget what was last heard of before `since`, and the oldest beyond `bound`
local function expire(store, since, bound)
  local order = store .. ':order'
  local old = redis.call('ZRANGEBYSCORE', order, '-inf', '(' .. since, 'LIMIT', 0, 100)
  local surplus = redis.call('ZCARD', order) - tonumber(bound)
  if #old == 0 and surplus > 0 then old = redis.call('ZRANGE', order, 0, math.min(surplus, 100) - 1) end
  for _, id in ipairs(old) do
    redis.call('ZREM', order, id)
    redis.call('HDEL', store, id)
  end
  return #old
end

-- remember a reply that feedback may name: store, orphans, prefix, id, JSON groups, at, since, bound
function verbs.target(store, orphans, prefix, id, keys, at, since, bound)
  local known = redis.call('HGET', store, id)
  local target = known and cjson.decode(known) or { kpis = {} }
  target.keys = cjson.decode(keys)
  local early = redis.call('HGET', orphans, id)
  if early then
    for kpi, value in pairs(cjson.decode(early)) do join(target, kpi, value, prefix) end
    redis.call('HDEL', orphans, id)
    redis.call('ZREM', orphans .. ':order', id)
  end
  redis.call('HSET', store, id, cjson.encode(target))
  redis.call('ZADD', store .. ':order', at, id)
  expire(store, since, bound)
end

-- one value of feedback: store, orphans, counters, prefix, target id, kpi, value, now, since, bound
function verbs.feedback(store, orphans, counters, prefix, id, kpi, value, now, since, bound)
  redis.call('HINCRBY', counters, 'feedback', 1)
  expire(store, since, bound)
  local known = redis.call('HGET', store, id)
  if known then
    local target = cjson.decode(known)
    join(target, kpi, tonumber(value), prefix)
    redis.call('HSET', store, id, cjson.encode(target))
    return
  end
  redis.call('HINCRBY', counters, 'feedback_unknown_target', 1)
  local early = redis.call('HGET', orphans, id)
  local kpis = early and cjson.decode(early) or {}
  kpis[kpi] = tonumber(value)
  redis.call('HSET', orphans, id, cjson.encode(kpis))
  redis.call('ZADD', orphans .. ':order', now, id)
  local dropped = expire(orphans, since, bound)
  if dropped > 0 then redis.call('HINCRBY', counters, 'feedback_dropped', dropped) end
end

local function apply(commands)
  for _, command in ipairs(commands) do
    local verb = verbs[command[1]]
    if verb then
      verb(unpack(command, 2))
    else
      redis.call(unpack(command))
    end
  end
end

local applied, faulty, fault = 0, 0, ''
for place, event in ipairs(cjson.decode(ARGV[3])) do
  local position, spool, number = event[1], event[2], event[3]
  local before = tonumber(redis.call('HGET', KEYS[3], spool) or '0')
  if number == 0 or number > before then
    local ok, why = pcall(apply, event[4])
    if not ok then
      faulty, fault = place, type(why) == 'table' and why.err or tostring(why)
      break
    end
    if number > 0 then redis.call('HSET', KEYS[3], spool, string.format('%d', number)) end
    if number > before + 1 then redis.call('HINCRBY', KEYS[4], 'bus.lost', number - before - 1) end
    applied = applied + 1
  end
  reached = position
end
redis.call('HSET', KEYS[2], ARGV[2], reached)
return { applied, faulty, fault }
