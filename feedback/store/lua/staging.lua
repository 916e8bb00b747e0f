-- Writes that wait: an event's effects are worked out against what was read and staged before, and reach Redis
-- together at the end, or not at all. Redis has no rollback, so nothing may be refused once writing has begun:
-- whatever a write needs of a key (its type, a number in it, room in that number) is looked at when it is staged.
local read, complete, batch, event = {}, {}, {}, {}
local batch_calls, event_calls = {}, {}

local function hget(key, field)
  local staged = event[key] and event[key][field]
  if staged == nil then staged = batch[key] and batch[key][field] end
  if staged ~= nil then return staged end
  local known = read[key]
  if not known then
    known = {}
    read[key] = known
  end
  local value = known[field]
  if value == nil then
    if complete[key] then return false end
    value = redis.call('HGET', key, field)
    known[field] = value
  end
  return value
end

-- read a small hash at once, of which most fields will be asked for
local function whole(key)
  if read[key] then return end
  local known, rows = {}, redis.call('HGETALL', key)
  for i = 1, #rows, 2 do known[rows[i]] = rows[i + 1] end
  read[key], complete[key] = known, true
end

-- value: a string, a number, or false, which deletes the field
local function hset(key, field, value)
  if not read[key] then hget(key, field) end -- which fails where the key is of another type
  local fields = event[key]
  if not fields then
    fields = {}
    event[key] = fields
  end
  fields[field] = value
end

local function number(key, field)
  local value = hget(key, field)
  if not value then return 0 end
  local found = tonumber(value)
  if not found then error({ err = 'ERR ' .. key .. ' holds no number at ' .. field }) end
  return found
end

local function add(key, field, by)
  local sum = number(key, field) + by
  if sum ~= sum or sum - sum ~= 0 then error({ err = 'ERR ' .. key .. ' cannot hold the sum at ' .. field }) end
  hset(key, field, sum)
end

-- Commands that are staged as they are, with a call that fails where they would.
local looks = { RPUSH = 'LLEN', LPUSH = 'LLEN', LTRIM = 'LLEN', ZADD = 'ZCARD' }

local function later(command, key, ...)
  local look = looks[command]
  if not look then error({ err = 'ERR ' .. tostring(command) .. ' is no effect' }) end
  redis.call(look, key)
  event_calls[#event_calls + 1] = { command, key, ... }
end

local resets = {} -- what else remembers anything of an event that failed

local function forget_event()
  event, event_calls = {}, {}
  for _, reset in ipairs(resets) do reset() end
end

local function keep_event()
  for key, fields in pairs(event) do
    local into = batch[key]
    if into then
      for field, value in pairs(fields) do into[field] = value end
    else
      batch[key] = fields
    end
  end
  for _, call in ipairs(event_calls) do batch_calls[#batch_calls + 1] = call end
  event, event_calls = {}, {}
end

local MOST = 1000

local function stored(value)
  return type(value) == 'number' and string.format('%.17g', value) or value
end

local function commit()
  for key, fields in pairs(batch) do
    local set, gone = {}, {}
    for field, value in pairs(fields) do
      if value == false then
        gone[#gone + 1] = field
      else
        set[#set + 1] = field
        set[#set + 1] = stored(value)
      end
      if #set >= MOST then
        redis.call('HSET', key, unpack(set))
        set = {}
      end
      if #gone >= MOST then
        redis.call('HDEL', key, unpack(gone))
        gone = {}
      end
    end
    if #set > 0 then redis.call('HSET', key, unpack(set)) end
    if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
  end
  for _, call in ipairs(batch_calls) do redis.call(unpack(call)) end
  read, complete, batch, batch_calls = {}, {}, {}, {}
end

-- Rows that must be read from files before anything may change (see rows): {tenant: {its files, units, units as a set}}.
local lacking = {}

local function lack(tenant, files, unit)
  local one = lacking[tenant] or { files, {}, {} }
  lacking[tenant] = one
  if not one[3][unit] then
    one[2][#one[2] + 1], one[3][unit] = unit, true
  end
end

-- what a call answers then, having changed nothing; nil where nothing is lacking
local function lacking_rows()
  if next(lacking) == nil then return nil end
  local told = {}
  for tenant, one in pairs(lacking) do told[tenant] = { one[1], one[2] } end
  return { -2, 0, cjson.encode(told) }
end

local verbs = {}
local ENOUGH = {} -- what a verb returns to leave out the commands of the event that follow it

function verbs.HINCRBY(key, field, by) add(key, field, tonumber(by)) end

-- add to several fields of a hash
function verbs.add(key, fields)
  for field, by in pairs(fields) do add(key, field, by) end
end

local function count(key, kpi, value, sign)
  whole(key)
  add(key, kpi .. ':n', sign)
  add(key, kpi .. ':s', sign * value)
  add(key, kpi .. ':q', sign * value * value)
end

-- count one value of each KPI: its number, sum and sum of squares
function verbs.count(key, values)
  for kpi, value in pairs(values) do count(key, kpi, value, 1) end
end

local function apply(commands)
  for _, command in ipairs(commands) do
    local verb = verbs[command[1]]
    if verb then
      if verb(unpack(command, 2)) == ENOUGH then return end
    else
      later(unpack(command))
    end
  end
end

-- Stages the commands of one event; returns whether that went well, and why not. Then nothing of them is staged.
local function try(commands)
  local ok, why = pcall(apply, commands)
  if ok then
    keep_event()
    return true, ''
  end
  forget_event()
  return false, type(why) == 'table' and why.err or tostring(why)
end
