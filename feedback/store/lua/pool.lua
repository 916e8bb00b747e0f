-- The hard pool: admit, evict, reservoir of anchors, purge. One script, so that the parts share code.
-- KEYS: prefix    ARGV: operation, ...
local P = KEYS[1]
local seqs, metas, texts, lsh = P .. 'order', P .. 'meta', P .. 'text', P .. 'lsh'
local failed, signatures, counters, kinds = P .. 'failed', P .. 'signatures', P .. 'counters', P .. 'kinds'

local function forget(id, why)
  local raw = redis.call('HGET', metas, id)
  if not raw then return end
  local meta = cjson.decode(raw)
  redis.call('ZREM', seqs, id)
  redis.call('ZREM', failed, id)
  redis.call('ZREM', P .. 'tenant:' .. meta.tenant, id)
  redis.call('ZREM', P .. 'kind:' .. meta.kind, id)
  for _, kind in ipairs(meta.kinds) do redis.call('HINCRBY', kinds, kind, -1) end
  for _, band in ipairs(meta.bands) do
    if redis.call('HGET', lsh, band) == id then redis.call('HDEL', lsh, band) end
  end
  redis.call('HDEL', metas, id)
  redis.call('HDEL', texts, id)
  redis.call('HDEL', signatures, id)
  redis.call('HINCRBY', counters, why, 1)
end

local function oldest(key)
  return redis.call('ZRANGE', key, 0, 0)[1]
end

-- The key of the zset that holds most beyond `limit`; `own` goes first when it is at the limit.
local function over(own, names, prefix, limit)
  if redis.call('ZCARD', own) >= limit then return own end
  local largest, most = nil, limit
  for _, name in ipairs(names) do
    local n = redis.call('ZCARD', prefix .. name)
    if n > most then largest, most = prefix .. name, n end
  end
  return largest
end

-- Who makes room for a sample of `meta`: of the tenant over its share the oldest, one of the kind over
-- its share if there is one among its oldest hundred; shares of all (1) never bind.
local function victim(meta, capacity, tenant_share, kind_share)
  local tenant, kind = nil, nil
  if tenant_share < 1 then
    local names = redis.call('SMEMBERS', P .. 'tenants')
    tenant = over(P .. 'tenant:' .. meta.tenant, names, P .. 'tenant:', tenant_share * capacity)
  end
  if kind_share < 1 then
    kind = over(P .. 'kind:' .. meta.kind, redis.call('HKEYS', kinds), P .. 'kind:', kind_share * capacity)
  end
  if tenant and kind then
    for _, id in ipairs(redis.call('ZRANGE', tenant, 0, 99)) do
      if redis.call('ZSCORE', kind, id) then return id end
    end
  end
  return oldest(tenant or kind or seqs)
end

local function purged(tenant, at)
  local until_time = redis.call('HGET', P .. 'purged', tenant)
  return until_time and tonumber(at) <= tonumber(until_time)
end

-- id, JSON meta, JSON text, signature, is failed ("1"), duplicate's id or "", capacity, shares, at
local function admit(id, raw, text, signature, is_failed, twin, capacity, tenant_share, kind_share, at)
  if redis.call('HEXISTS', metas, id) == 1 then return { 0, 'known' } end
  local meta = cjson.decode(raw)
  if purged(meta.tenant, at) then
    redis.call('HINCRBY', counters, 'purged', 1)
    return { 0, 'purged' }
  end
  if twin ~= '' and redis.call('HEXISTS', metas, twin) == 1 then
    local other = cjson.decode(redis.call('HGET', metas, twin))
    if other.student == meta.student and other.tenant == meta.tenant then
      redis.call('HINCRBY', counters, 'duplicate', 1)
      return { 0, 'duplicate' }
    end
    if other.tenant == meta.tenant then forget(twin, 'replaced') end
  end
  capacity = tonumber(capacity)
  while redis.call('ZCARD', seqs) >= capacity do
    forget(victim(meta, capacity, tonumber(tenant_share), tonumber(kind_share)), 'evicted')
  end
  local seq = redis.call('INCR', P .. 'seq')
  redis.call('ZADD', seqs, seq, id)
  if is_failed == '1' then redis.call('ZADD', failed, seq, id) end
  redis.call('ZADD', P .. 'tenant:' .. meta.tenant, seq, id)
  redis.call('SADD', P .. 'tenants', meta.tenant)
  redis.call('ZADD', P .. 'kind:' .. meta.kind, seq, id)
  for _, kind in ipairs(meta.kinds) do
    redis.call('HINCRBY', kinds, kind, 1)
    redis.call('HINCRBY', P .. 'ever', kind, 1)
  end
  for _, band in ipairs(meta.bands) do redis.call('HSET', lsh, band, id) end
  redis.call('HSET', metas, id, raw)
  redis.call('HSET', texts, id, text)
  redis.call('HSET', signatures, id, signature)
  redis.call('HINCRBY', counters, 'admitted', 1)
  return { seq, 'admitted' }
end

-- Reservoir (Vitter's algorithm R): id, text, tenant, at, size, random number in [0, 1)
local function anchor(id, text, tenant, at, size, random)
  local ids, bodies, owners = P .. 'anchor:ids', P .. 'anchor:text', P .. 'anchor:tenant'
  if redis.call('HEXISTS', bodies, id) == 1 or purged(tenant, at) then return 0 end
  size = tonumber(size)
  local seen = redis.call('INCR', P .. 'anchor:seen')
  local length = redis.call('LLEN', ids)
  if length < size then
    redis.call('RPUSH', ids, id)
  else
    local place = math.floor(tonumber(random) * math.max(seen, size))
    if place >= length then return 0 end
    local old = redis.call('LINDEX', ids, place)
    redis.call('HDEL', bodies, old)
    redis.call('HDEL', owners, old)
    redis.call('LSET', ids, place, id)
  end
  redis.call('HSET', bodies, id, text)
  redis.call('HSET', owners, id, tenant)
  return 1
end

local function purge(tenant, now)
  redis.call('HSET', P .. 'purged', tenant, now)
  local gone = redis.call('ZRANGE', P .. 'tenant:' .. tenant, 0, -1)
  for _, id in ipairs(gone) do forget(id, 'purged') end
  redis.call('SREM', P .. 'tenants', tenant)
  local owners, removed = redis.call('HGETALL', P .. 'anchor:tenant'), #gone
  for i = 1, #owners, 2 do
    if owners[i + 1] == tenant then
      redis.call('HDEL', P .. 'anchor:text', owners[i])
      redis.call('HDEL', P .. 'anchor:tenant', owners[i])
      redis.call('LREM', P .. 'anchor:ids', 1, owners[i])
      removed = removed + 1
    end
  end
  return removed
end

if ARGV[1] == 'admit' then return admit(unpack(ARGV, 2)) end
if ARGV[1] == 'anchor' then return anchor(unpack(ARGV, 2)) end
if ARGV[1] == 'purge' then return purge(ARGV[2], ARGV[3]) end
return redis.error_reply('unknown operation ' .. ARGV[1])
