-- Flagged and degraded requests, bounded by bytes and days. KEYS: prefix  ARGV: operation, ...
-- `order` zset id -> when; `tenant:<t>` the same of one tenant; hashes: `meta`, `text`, `appeals`, `marks` by id,
-- `sizes` by id, `bytes` by tenant.
local P = KEYS[1]

local function forget(id)
  local raw = redis.call('HGET', P .. 'meta', id)
  if not raw then return 0 end
  local tenant = cjson.decode(raw).tenant
  local size = tonumber(redis.call('HGET', P .. 'sizes', id) or 0)
  redis.call('ZREM', P .. 'order', id)
  redis.call('ZREM', P .. 'tenant:' .. tenant, id)
  for _, name in ipairs({ 'meta', 'text', 'appeals', 'marks', 'sizes' }) do redis.call('HDEL', P .. name, id) end
  if redis.call('HINCRBY', P .. 'bytes', tenant, -size) <= 0 then redis.call('HDEL', P .. 'bytes', tenant) end
  return 1
end

local function expire(oldest)
  local gone = 0
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'order', '-inf', oldest, 'LIMIT', 0, 1000)) do
    gone = gone + forget(id)
  end
  return gone
end

-- the tenant that holds most, and what all hold
local function largest()
  local rows = redis.call('HGETALL', P .. 'bytes')
  local name, most, all = nil, -1, 0
  for i = 1, #rows, 2 do
    local n = tonumber(rows[i + 1])
    all = all + n
    if n > most then name, most = rows[i], n end
  end
  return name, all
end

-- whether it is held now
local function keep(id, tenant, at, meta, text, tenant_bytes, bytes)
  local size = #meta + #text + 200
  if size > tonumber(tenant_bytes) or size > tonumber(bytes) then return 0 end
  local before = tonumber(redis.call('HGET', P .. 'sizes', id) or 0)
  redis.call('HSET', P .. 'meta', id, meta)
  if text ~= '' then redis.call('HSET', P .. 'text', id, text) end
  redis.call('HSET', P .. 'sizes', id, size)
  redis.call('ZADD', P .. 'order', at, id)
  redis.call('ZADD', P .. 'tenant:' .. tenant, at, id)
  redis.call('HINCRBY', P .. 'bytes', tenant, size - before)
  while tonumber(redis.call('HGET', P .. 'bytes', tenant) or 0) > tonumber(tenant_bytes) do
    if forget(redis.call('ZRANGE', P .. 'tenant:' .. tenant, 0, 0)[1]) == 0 then break end
  end
  local owner, all = largest()
  while all > tonumber(bytes) do
    if forget(redis.call('ZRANGE', P .. 'tenant:' .. owner, 0, 0)[1]) == 0 then break end
    owner, all = largest()
  end
  return redis.call('HEXISTS', P .. 'meta', id)
end

local op = ARGV[1]
if op == 'keep' then -- id, tenant, at, meta, text, bytes of a tenant, of all, what is older goes
  local gone = expire(ARGV[9])
  return { keep(ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]), gone }
elseif op == 'appeal' then -- the same; its text may be there already, or come later
  expire(ARGV[9])
  local held = redis.call('HEXISTS', P .. 'meta', ARGV[2])
  if held == 0 then held = keep(ARGV[2], ARGV[3], ARGV[4], ARGV[5], '', ARGV[7], ARGV[8]) end
  if held == 1 then redis.call('HSET', P .. 'appeals', ARGV[2], ARGV[4]) end
  return { held, 0 }
elseif op == 'mark' then -- id, mark
  if redis.call('HEXISTS', P .. 'meta', ARGV[2]) == 0 then return { 0, 0 } end
  redis.call('HSET', P .. 'marks', ARGV[2], ARGV[3])
  return { 1, 0 }
elseif op == 'expire' then -- what is older goes
  return { 1, expire(ARGV[2]) }
elseif op == 'purge' then -- tenant, until
  local gone = 0
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'tenant:' .. ARGV[2], '-inf', ARGV[3])) do
    gone = gone + forget(id)
  end
  return { 1, gone }
end
