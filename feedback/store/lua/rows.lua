-- One running row for each unit (a user), and the sums of all rows by group and hour of first exposure.
-- Follows staging. A row holds, for each place (arm, version, phases of experiments each with the
-- unit's arm, side of a canary or pairs of an experiment, line of business) where its unit was served or exposed, when
-- that was first and what was counted (`cells`), and by group, where the unit has been in two arms of a phase, what of
-- that still counts for it (`kept`: the cells up to the change, or false); a group (an arm, a version, an arm of an
-- experiment's phase, and of each line of business in it) holds over its units how many there are, the sum of each cell,
-- how many have it above 0 (`cell#`), and of each pair of `pairs` the
-- sum of products, and of each pair of `missed` how many have the first below the second. Whoever changes a row takes
-- its former part out of these and puts the new one in.
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

-- Rows that lie in files: a tenant's field of S.spilled says in which. Whoever calls tells in ARGV[5] what he found there
-- ({tenant: [that field, {unit: place of the row's text in ARGV, or 0}]}); what he does not is lacking, and is the answer.
local found_in_files = cjson.decode(ARGV[5] or '{}')

-- a unit's row as text or false, and what of it Redis holds
local function row_of(tenant, unit)
  local raw = hget(S.rows .. tenant, unit)
  if raw then return raw, raw end
  local files = hget(S.spilled, tenant)
  if not files or string.sub(files, -3) == '[]}' then return false, false end
  local told = found_in_files[tenant]
  local at = told and told[1] == files and told[2][unit]
  if at then return at > 0 and ARGV[at], false end
  lack(tenant, files, unit)
  return false, false
end

local function within(id, group)
  for _, one in ipairs(groups_of(id).rows) do
    if one == group then return true end
  end
  return false
end

-- what the parts of a row that belong to a group add up to: {first, cells}, or nil
local function total(row, group)
  local first, cells
  local of = string.match(group, '^line:(.*):[^:]*$')
  local key = of and 'experiment:' .. of or group -- a line has what counts for its experiment
  for id, part in pairs(row) do
    local counted = part[2]
    if part[3] and part[3][key] ~= nil then counted = part[3][key] end
    if counted and within(tonumber(id), group) then
      if not cells then
        first, cells = part[1], {}
      end
      first = math.min(first, part[1])
      for cell, value in pairs(counted) do cells[cell] = (cells[cell] or 0) + value end
    end
  end
  return cells and { first, cells }
end

-- Sums of a line are kept by day, so that nine of them are fewer than those of their experiment by hour.
local function cohort(group, first)
  local hours = string.sub(group, 1, 5) == 'line:' and 24 or 1
  local name = group .. ':' .. string.format('%d', math.floor(first / 3600 / hours) * hours)
  if not hget(S.cohorts, name) then hset(S.cohorts, name, 1) end
  return S.users .. name
end

local NONE = {}

-- replace what one unit adds to a cohort: cells before, cells after
local function contribute(key, old, new)
  whole(key)
  local changed = {}
  for cell, value in pairs(new) do changed[cell] = value ~= (old[cell] or 0) or nil end
  for cell in pairs(old) do
    if new[cell] == nil then changed[cell] = true end
  end
  for cell in pairs(changed) do
    local before, after = old[cell] or 0, new[cell] or 0
    add(key, cell, after - before)
    local more = (after > 0 and 1 or 0) - (before > 0 and 1 or 0)
    if more ~= 0 then add(key, cell .. '#', more) end
  end
  for _, pair in ipairs(S.pairs) do
    local a, b = pair[1], pair[2]
    if changed[a] or changed[b] then
      local by = (new[a] or 0) * (new[b] or 0) - (old[a] or 0) * (old[b] or 0)
      if by ~= 0 then add(key, pair[3], by) end
    end
  end
  for _, one in ipairs(S.missed) do
    local a, b = one[1], one[2]
    local more = ((new[a] or 0) < (new[b] or 0) and 1 or 0) - ((old[a] or 0) < (old[b] or 0) and 1 or 0)
    if more ~= 0 then add(key, one[3], more) end
  end
end

local function replace_total(group, old, new)
  local key = cohort(group, new[1])
  local former = old and cohort(group, old[1])
  if former == key then return contribute(key, old[2], new[2]) end
  if former then
    contribute(former, old[2], NONE)
    add(former, 'users', -1)
  end
  contribute(key, NONE, new[2])
  add(key, 'users', 1)
end

-- Where a row has too many parts, the oldest becomes one with what is left of its arm: the arm's sums go on as before,
-- and what its version and experiment had of this unit stays there and is not changed again.
local function fold(row)
  local oldest
  for id, part in pairs(row) do
    local place = groups_of(tonumber(id))
    if (place.version ~= '' or #place.phases > 0) and (not oldest or part[1] < row[oldest][1]) then oldest = id end
  end
  if not oldest then return end
  local arm = groups_of(tonumber(oldest)).arm
  local rest = tostring(place_id(cjson.encode({ arm, '', '', 0, arm })))
  local part, into = row[oldest], row[rest] or { row[oldest][1], {} }
  into[1] = math.min(into[1], part[1])
  for cell, value in pairs(part[2]) do into[2][cell] = (into[2][cell] or 0) + value end
  row[rest], row[oldest] = into, nil
  add(S.counters, 'kpi_rows_folded', 1)
end

-- In a phase the first arm of a unit stands. Where a place would give it another one, or it has had two already, the
-- place counts for none, and what the others count for the phase stays what it is at this moment. Returns by the place's
-- phases which they are, nil where none is.
local function divide(row, id)
  local kept
  for n, new in ipairs(groups_of(id).phases) do
    local same, divided, before = {}, false, false
    for other, part in pairs(row) do
      local place = groups_of(tonumber(other))
      for m, old in ipairs(place.phases) do
        if old[1] == new[1] and old[2] == new[2] then
          same[#same + 1] = { part, place.keys[m] }
          before = before or (part[3] and part[3][place.keys[m]] ~= nil)
          divided = divided or before or old[3] ~= new[3]
        end
      end
    end
    if divided then
      kept = kept or {}
      kept[groups_of(id).keys[n]] = false
      if not before then
        for _, one in ipairs(same) do
          local cells = {}
          for cell, value in pairs(one[1][2]) do cells[cell] = value end
          one[1][3] = one[1][3] or {}
          one[1][3][one[2]] = cells
        end
        add(S.exposed .. new[1], 'two_arms:' .. string.format('%d', new[2]), 1)
      end
    end
  end
  return kept
end

-- count a unit where a place is its first of an experiment, of an arm there, or of a phase after others; `kept`: of the
-- place's phases those for which it does not count
local function expose(row, id, kept)
  for n, new in ipairs(groups_of(id).phases) do
    local experiment, phase, arm = new[1], new[2], new[3]
    local known, here, again = false, false, false
    for other, part in pairs(row) do
      local place = groups_of(tonumber(other))
      for m, old in ipairs(place.phases) do
        if old[1] == experiment and not (part[3] and part[3][place.keys[m]] == false) then
          known = true
          here = here or old[3] == arm
          again = again or old[2] == phase
        end
      end
    end
    local key = S.exposed .. experiment
    local counts = not (kept and kept[groups_of(id).keys[n]] == false)
    if counts and not here then add(key, arm, 1) end
    if counts and known and not again then add(key, 'returning:' .. string.format('%d', phase), 1) end
  end
end

local ROW = 90 -- bytes that Redis takes for a row beside its text

-- Add `delta` (cells) to a unit's row at a place; `first`: when it was served there, nil where it must have been already.
-- Returns false, and changes nothing, where no row may begin.
local function change_row(tenant, unit, id, first, delta)
  local key, place = S.rows .. tenant, tostring(id)
  local raw, held = row_of(tenant, unit)
  local row = raw and cmsgpack.unpack(raw) or {}
  local part, kept = row[place], nil
  if not part then
    if not first then return false end
    if (not raw and number(S.bytes, 'rows') >= S.row_bytes) or (not raw and number(S.bytes, key) >= S.tenant_bytes) then
      add(S.counters, 'kpi_rows_refused', 1)
      return false
    end
    local parts = 0
    for _ in pairs(row) do parts = parts + 1 end
    if parts >= S.row_places then fold(row) end
    kept = divide(row, id)
    expose(row, id, kept)
  end
  first = first and math.max(now - S.late, math.min(first, now))
  local before = {}
  for _, group in ipairs(groups_of(id).rows) do before[group] = total(row, group) or false end
  if not part then
    part = { first, {}, kept }
    row[place] = part
  end
  part[1] = math.min(part[1], first or part[1])
  for cell, by in pairs(delta) do
    local value = (part[2][cell] or 0) + by
    part[2][cell] = value ~= 0 and value or nil
  end
  for group, old in pairs(before) do
    local new = total(row, group)
    if new then replace_total(group, old, new) end -- a group for which the unit does not count keeps nothing of it
  end
  local text = cmsgpack.pack(row, math.floor(now / 60)) -- when it changed, so that those that do not may be spilled
  hset(key, unit, text)
  local bytes = #text - (held and #held or -ROW - #unit)
  add(S.bytes, 'rows', bytes)
  add(S.bytes, key, bytes)
  return true
end

-- a unit that counts for a phase: tenant, unit, place, when, cells that are 1 once and for all
function verbs.exposed(tenant, unit, place, at, marks)
  local id, raw = place_id(place), row_of(tenant, unit)
  local part = raw and cmsgpack.unpack(raw)[tostring(id)]
  local new = {}
  for cell in pairs(marks) do new[cell] = not (part and part[2][cell]) and 1 or nil end
  change_row(tenant, unit, id, math.min(at, now), new)
end

-- what a shadow pair says of a unit: tenant, unit, place, when, cells
function verbs.pair(tenant, unit, place, at, cells)
  change_row(tenant, unit, place_id(place), math.min(at, now), cells)
end
