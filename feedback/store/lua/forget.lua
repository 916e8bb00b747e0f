-- Forget what KPIs hold of a tenant: its users' rows, what feedback may name, feedback that waits. Sums stay.
-- ARGV: tenant, JSON settings    Returns how many of them there were.
local tenant, S = ARGV[1], cjson.decode(ARGV[2])
local gone = 0

local function forget(key, total)
  gone = gone + redis.call('HLEN', key)
  redis.call('UNLINK', key)
  redis.call('HINCRBY', S.bytes, total, 0 - tonumber(redis.call('HGET', S.bytes, key) or '0'))
  redis.call('HDEL', S.bytes, key)
end

for _, store in ipairs({ 'targets', 'early' }) do
  local name = store .. tenant
  for day in string.gmatch(redis.call('HGET', S.days, name) or '', '%d+') do
    forget(S[store] .. tenant .. ':' .. day, store)
  end
  redis.call('HDEL', S.days, name)
end
forget(S.rows .. tenant, 'rows')
local files = redis.call('HGET', S.spilled, tenant)
if files then -- a number higher, so that nobody takes what he read in them for a row
  local told = cjson.decode(files)
  for _, one in ipairs(told.files) do gone = gone + one[3] end
  redis.call('HSET', S.spilled, tenant, string.format('{"n":%d,"files":[]}', told.n + 1))
end
return gone
