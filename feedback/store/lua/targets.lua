-- What feedback may name: a reply, or a session; and feedback that came before what it names.
-- Follows rows. Each is one field of a hash by tenant and day, so that a day is forgotten at once and a tenant whole.
-- A target: {unit, place, at, feedback or false, seen or false, latest, ids}; `at` is when it was exposed (a session:
-- first), `seen` the units and places in which a session was counted, `latest` its latest request, `ids` its latest
-- exchanges, of which one that comes again, from whatever spool, counts nowhere. Feedback by KPI:
-- {value, at, id, ids, counted}, where `counted` is false, or {value, tenant's unit, place}: where it went.
-- All times are Redis' own; what gateways say of theirs is bounded by it.
local DAY, ENTRY, IDS = 86400, 75, 32
local today = math.floor(now / DAY)
local days = {}
resets[#resets + 1] = function() days = {} end

-- the days of a tenant's store that hold anything, newest first
local function days_of(store, tenant)
  local name = store .. tenant
  if not days[name] then
    local found = {}
    for day in string.gmatch(hget(S.days, name) or '', '%d+') do found[#found + 1] = tonumber(day) end
    table.sort(found, function(a, b) return a > b end)
    days[name] = found
  end
  return days[name]
end

local function bucket(store, tenant, day)
  return S[store] .. tenant .. ':' .. string.format('%d', day)
end

local function keep(store, tenant, id, day, old, target)
  local key = bucket(store, tenant, day)
  local text = cmsgpack.pack(target)
  local known = days_of(store, tenant)
  local listed = false
  for _, one in ipairs(known) do listed = listed or one == day end
  if not listed then
    local name = store .. tenant
    hset(S.days, name, (hget(S.days, name) or '') .. string.format('%d ', day))
    known[#known + 1] = day
    table.sort(known, function(a, b) return a > b end)
  end
  local bytes = #text - (old and #old or -ENTRY - #id)
  hset(key, id, text)
  add(S.bytes, store, bytes)
  add(S.bytes, key, bytes)
end

local function drop(store, tenant, id, day, old)
  local key = bucket(store, tenant, day)
  hset(key, id, false)
  add(S.bytes, store, -(#old + ENTRY + #id))
  add(S.bytes, key, -(#old + ENTRY + #id))
end

-- a target by id, where it is, and its text; one that is too old is none
local function find(store, tenant, id, first)
  local function look(day)
    local raw = hget(bucket(store, tenant, day), id)
    if not raw then return end
    local target = cmsgpack.unpack(raw)
    if (target[6] or target[3]) >= now - S.late then return target, day, raw end
  end
  if first then
    local target, day, raw = look(first)
    if target then return target, day, raw end
  end
  for _, day in ipairs(days_of(store, tenant)) do
    if day ~= first and day >= today - S.days_kept then
      local target, at, raw = look(day)
      if target then return target, at, raw end
    end
  end
end

local function put(tenant, kpi, counted, sign, at)
  local value, unit, id = counted[1], counted[2], counted[3]
  for _, group in ipairs(groups_of(id).values) do count(S.sums .. group, kpi, value, sign) end
  -- Only what a row has taken is taken out of it again; a row that was refused or purged takes nothing.
  if sign > 0 then
    counted[4] = change_row(tenant, unit, id, nil, { [kpi .. '.n'] = 1, [kpi .. '.s'] = value }, at)
  elseif counted[4] then
    change_row(tenant, unit, id, nil, { [kpi .. '.n'] = -1, [kpi .. '.s'] = -value })
  end
end

-- have each value of feedback count where its target is now, and nowhere else
local function settle(tenant, target)
  local unit, id = target[1], target[2]
  for kpi, said in pairs(target[4] or {}) do
    local at = said[5]
    if not (at and at[1] == said[1] and at[2] == unit and at[3] == id) then
      if at then put(tenant, kpi, at, -1) end
      said[5] = { said[1], unit, id }
      put(tenant, kpi, said[5], 1, said[2])
    end
  end
end

-- one statement; of several about a KPI the latest stands, by the time they name and then by id, not as they arrive
local function say(target, kpi, value, at, id)
  target[4] = target[4] or {}
  local said = target[4][kpi]
  if not said then
    target[4][kpi] = { value, at, id, { id }, false }
    return
  end
  for _, known in ipairs(said[4]) do
    if known == id then return add(S.counters, 'feedback_repeated', 1) end
  end
  said[4][#said[4] + 1] = id
  if #said[4] > IDS then
    table.remove(said[4], 1)
    add(S.counters, 'feedback_ids_forgotten', 1)
  end
  if at < said[2] or (at == said[2] and id < said[3]) then return add(S.counters, 'feedback_outdated', 1) end
  said[1], said[2], said[3] = value, at, id
end

-- take over what was said before the target was known
local function adopt(tenant, id, target)
  if number(S.bytes, 'early') <= 0 then return end
  local early, day, raw = find('early', tenant, id)
  if not early then return end
  for kpi, said in pairs(early[4]) do
    if target[4] and target[4][kpi] then
      say(target, kpi, said[1], said[2], said[3])
    else
      target[4] = target[4] or {}
      target[4][kpi] = said
    end
  end
  drop('early', tenant, id, day, raw)
end

local function late(at)
  return at < now - S.late
end

-- a place of what was degraded, which no arm gave
local function degraded(id)
  return groups_of(id).arm == ''
end

-- whether a degraded turn and a reply are of one session's unit, and the reply counts for all that the turn does
local function covered(turn, reply)
  if not degraded(turn) or degraded(reply) then return false end
  local all = {}
  for _, group in ipairs(groups_of(reply).rows) do all[group] = true end
  for _, group in ipairs(groups_of(turn).rows) do
    if not all[group] then return false end
  end
  return true
end

-- Whether a session counts anew where a turn of it comes. Of one that has degraded turns and replies the replies count,
-- in whatever order they come: it is one session to an experiment that compares the guard with none.
local function begins(tenant, target, unit, id)
  local seen = target[5]
  if seen[id .. ' ' .. unit] then return false end
  for known in pairs(seen) do
    local other, whose = string.match(known, '^(%d+) (.*)$')
    other = tonumber(other)
    if whose == unit and covered(id, other) then return false end
    if whose == unit and covered(other, id) then
      change_row(tenant, unit, other, nil, { sessions = -1 })
      seen[known] = nil
    end
  end
  seen[id .. ' ' .. unit] = true
  return true
end

-- Feedback on a session is of its first turn; of a degraded one while no reply counts for what it does.
local function begin_at(target, unit, id, at)
  local same, former = target[1] == unit, target[2]
  if same and covered(id, former) then return end
  if at < target[3] or (same and covered(former, id)) then target[1], target[2], target[3] = unit, id, at end
end

-- whether a session knows an exchange already; it does from now on
local function again(target, own)
  local ids = target[7] or {}
  for _, known in ipairs(ids) do
    if known == own then return true end
  end
  ids[#ids + 1] = own
  if #ids > IDS then table.remove(ids, 1) end
  target[7] = ids
end

-- a reply: tenant, unit, place, when, cells, response id, session id, the exchange's own id, covariates asked for
function verbs.reply(tenant, unit, place, at, cells, response, session, own, asked)
  local id = place_id(place)
  at = math.min(at, now)
  if late(at) then
    change_row(tenant, unit, id, at, cells, at, asked)
    return
  end
  local day = math.floor(at / DAY)
  local known, held, raw = find('targets', tenant, session, day)
  local target = known or { unit, id, at, false, {}, at }
  if again(target, own) then
    add(S.counters, 'exchanges_repeated', 1)
    return ENOUGH
  end
  if begins(tenant, target, unit, id) then cells['sessions'] = 1 end
  change_row(tenant, unit, id, at, cells, at, asked)
  begin_at(target, unit, id, at)
  target[6] = math.max(target[6], at)
  if not known then adopt(tenant, session, target) end
  settle(tenant, target)
  local newest = math.floor(target[6] / DAY)
  if held and held ~= newest then
    drop('targets', tenant, session, held, raw)
    raw = nil
  end
  keep('targets', tenant, session, newest, raw, target)
  if response == '' then return end
  local former = hget(bucket('targets', tenant, day), response)
  local reply = former and cmsgpack.unpack(former) or { unit, id, at, false }
  adopt(tenant, response, reply)
  settle(tenant, reply)
  keep('targets', tenant, response, day, former, reply)
end

-- one value of feedback: tenant, target's id, kpi, value, when, its own id
function verbs.feedback(tenant, id, kpi, value, at, own)
  add(S.counters, 'feedback', 1)
  local target, day, raw = find('targets', tenant, id)
  if target then
    say(target, kpi, value, at, own)
    settle(tenant, target)
    return keep('targets', tenant, id, day, raw, target)
  end
  add(S.counters, 'feedback_unknown_target', 1)
  local early, held, former = find('early', tenant, id)
  early = early or { false, false, now, false }
  early[3] = now
  say(early, kpi, value, at, own)
  if held and held ~= today then
    drop('early', tenant, id, held, former)
    former = nil
  end
  keep('early', tenant, id, today, former, early)
end

local function forget_bucket(store, tenant, day, why)
  local key = bucket(store, tenant, day)
  local n = redis.call('HLEN', key)
  redis.call('UNLINK', key)
  redis.call('HINCRBY', S.bytes, store, 0 - tonumber(redis.call('HGET', S.bytes, key) or '0'))
  redis.call('HDEL', S.bytes, key)
  if why and n > 0 then redis.call('HINCRBY', S.counters, why, n) end
  local name, left = store .. tenant, {}
  for one in string.gmatch(redis.call('HGET', S.days, name) or '', '%d+') do
    if tonumber(one) ~= day then left[#left + 1] = one .. ' ' end
  end
  if #left > 0 then
    redis.call('HSET', S.days, name, table.concat(left))
  else
    redis.call('HDEL', S.days, name)
  end
end

-- {day, tenant} of every bucket of a store, oldest first
local function buckets(store)
  local found, rows = {}, redis.call('HGETALL', S.days)
  for i = 1, #rows, 2 do
    if string.sub(rows[i], 1, #store) == store then
      local tenant = string.sub(rows[i], #store + 1)
      for day in string.gmatch(rows[i + 1], '%d+') do found[#found + 1] = { tonumber(day), tenant } end
    end
  end
  table.sort(found, function(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end)
  return found
end

-- of the oldest day as many as one call can forget in a moment, in no order
local function thin(store, why, bound)
  local oldest = buckets(store)[1]
  if not oldest then return redis.call('HSET', S.bytes, store, 0) end
  local key = bucket(store, oldest[2], oldest[1])
  local page = redis.call('HSCAN', key, 0, 'COUNT', 500)[2]
  local freed, ids = 0, {}
  for i = 1, #page, 2 do
    if tonumber(redis.call('HGET', S.bytes, store)) - freed <= bound then break end
    ids[#ids + 1] = page[i]
    freed = freed + #page[i] + #page[i + 1] + ENTRY
  end
  if #ids > 0 then
    redis.call('HDEL', key, unpack(ids))
    redis.call('HINCRBY', S.bytes, store, 0 - freed)
    redis.call('HINCRBY', S.bytes, key, 0 - freed)
    redis.call('HINCRBY', S.counters, why, #ids)
  end
  if redis.call('EXISTS', key) == 0 then forget_bucket(store, oldest[2], oldest[1]) end
end

-- After the commit: forget days that are over, and the oldest of what exceeds its bound, counted.
local function make_room()
  if not S.days then return end
  for store, why in pairs({ targets = 'targets_dropped', early = 'feedback_dropped' }) do
    local swept = store .. ':swept'
    if tonumber(redis.call('HGET', S.bytes, swept) or '0') ~= today then
      redis.call('HSET', S.bytes, swept, today)
      redis.call('UNLINK', unpack(S.former))
      for _, one in ipairs(buckets(store)) do
        if one[1] < today - S.days_kept then forget_bucket(store, one[2], one[1], store == 'early' and why or nil) end
      end
    end
    local bound = S[store .. '_bytes']
    if tonumber(redis.call('HGET', S.bytes, store) or '0') > bound then thin(store, why, bound) end
  end
end
