-- Where a unit was served or exposed: a place, and the groups that its rows and values count for.
-- Follows staging. A place is an arm, a version, phases of experiments each with the unit's arm, a side of a canary or
-- pairs of an experiment, and a line of business; a group an arm, a version, an arm of an experiment's phase, and of each
-- line of business in it. ARGV[4]: JSON settings.
local S = cjson.decode(ARGV[4] or '{}')
local now = redis.call('TIME')
now = tonumber(now[1]) + tonumber(now[2]) / 1e6

local places = {}
resets[#resets + 1] = function() places = {} end

-- groups of a place: those of single values and those of rows
local function groups_of(id)
  local found = places[id]
  if not found then
    local p = cjson.decode(hget(S.places, '#' .. id))
    local arm, version, phases, side, line = p[1], p[2], p[3], p[4], p[5] or ''
    if type(phases) ~= 'table' then -- an older release's: experiment, phase, arm assigned, perhaps a canary's side
      phases, side, line = p[3] ~= '' and { { p[3], p[4], p[5] } } or {}, p[6] or '', ''
    end
    local values, rows, keys = {}, {}, {}
    if arm ~= '' then
      values[1] = 'arm:' .. arm
      if version ~= '' then values[2] = 'version:' .. version end
      rows = { unpack(values) }
    end
    for _, one in ipairs(phases) do
      values[#values + 1] = 'experiment:' .. one[1] .. ':' .. one[3]
      local of = one[1] .. ':' .. one[3] .. ':' .. string.format('%d', one[2])
      rows[#rows + 1] = 'experiment:' .. of
      keys[#keys + 1] = rows[#rows]
      if line ~= '' then rows[#rows + 1] = 'line:' .. of .. ':' .. line end
    end
    if side ~= '' then rows[#rows + 1] = (side:sub(1, 7) == 'paired:' and '' or 'rollout:') .. side end
    found = { values = values, rows = rows, keys = keys, arm = arm, version = version, phases = phases }
    places[id] = found
  end
  return found
end

-- the number of a place by its JSON text [arm, version, [[experiment, phase, arm], ...], side of a canary, perhaps a line]
local function place_id(text)
  local id = tonumber(hget(S.places, text) or nil)
  if not id then
    id = number(S.places, '#') + 1
    hset(S.places, '#', id)
    hset(S.places, text, id)
    hset(S.places, '#' .. id, text)
  end
  return id
end
