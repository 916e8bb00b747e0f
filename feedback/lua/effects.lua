-- Apply the effects of consumed events, each number of a spool once, and store how far they go.
-- KEYS: lease, cursors (hash), applied (hash: spool -> highest number)
-- ARGV: owner, cursor field, position, JSON [[spool, number, [[command, ...], ...]], ...]
-- A command is a Redis command, or one of the verbs below. Returns the number of events applied,
-- or -1 when the lease is not the owner's any more, and then nothing has changed.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end

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

-- remember a reply that feedback may name: store, order, orphans, prefix, id, JSON {keys}, now, bound
function verbs.target(store, order, orphans, prefix, id, keys, now, bound)
  local known = redis.call('HGET', store, id)
  local target = known and cjson.decode(known) or { kpis = {} }
  target.keys = cjson.decode(keys)
  local early = redis.call('HGET', orphans, id)
  if early then
    for kpi, value in pairs(cjson.decode(early)) do join(target, kpi, value, prefix) end
    redis.call('HDEL', orphans, id)
  end
  target.kpis.none = -1
  redis.call('HSET', store, id, cjson.encode(target))
  redis.call('ZADD', order, now, id)
  while redis.call('ZCARD', order) > tonumber(bound) do
    local old = redis.call('ZPOPMIN', order)
    redis.call('HDEL', store, old[1])
  end
end

-- one value of feedback: store, orphans, counters, prefix, target id, kpi, value, bound
function verbs.feedback(store, orphans, counters, prefix, id, kpi, value, bound)
  redis.call('HINCRBY', counters, 'feedback', 1)
  local known = redis.call('HGET', store, id)
  if known then
    local target = cjson.decode(known)
    join(target, kpi, tonumber(value), prefix)
    redis.call('HSET', store, id, cjson.encode(target))
    return
  end
  redis.call('HINCRBY', counters, 'feedback_unknown_target', 1)
  local early = redis.call('HGET', orphans, id)
  if not early and redis.call('HLEN', orphans) >= tonumber(bound) then
    redis.call('HINCRBY', counters, 'feedback_dropped', 1)
    return
  end
  local kpis = early and cjson.decode(early) or {}
  kpis[kpi] = tonumber(value)
  redis.call('HSET', orphans, id, cjson.encode(kpis))
end

local applied = 0
for _, event in ipairs(cjson.decode(ARGV[4])) do
  local spool, number = event[1], event[2]
  if number == 0 or number > tonumber(redis.call('HGET', KEYS[3], spool) or '0') then
    for _, command in ipairs(event[3]) do
      local verb = verbs[command[1]]
      if verb then
        verb(unpack(command, 2))
      else
        redis.call(unpack(command))
      end
    end
    if number > 0 then redis.call('HSET', KEYS[3], spool, string.format('%d', number)) end
    applied = applied + 1
  end
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
return applied
