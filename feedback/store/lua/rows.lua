-- One running row for each unit (a user), and the sums of all rows by group and hour of first exposure.
-- Follows staging and places. A row holds, for each place where its unit was served or exposed, when that was first and
-- what was counted (`cells`), and by group, where the unit has been in two arms of a phase, what of that still counts for
-- it (`kept`: the cells up to the change, or false). Beside its places it says when the unit last did anything, and what
-- it had done before it came to an experiment that asks for covariates (`former`). A group holds over its units how many
-- there are, the sum of each cell, how many have it above 0 (`cell#`), of each pair of `pairs` the sum of products, of
-- each pair of `missed` how many have the first below the second, and of each KPI with a covariate what regression needs
-- of the two (see `covary`). Whoever changes a row takes its former part out of these and puts the new one in.

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

-- The same of what units did before, {KPI, covariate, value} of one that has any, over units that have part in the KPI:
-- of `KPI~covariate` how many (`#`), the sum, that of squares (`^2`), and products of both with what the KPI is a ratio of.
local function covary(key, old, new, former)
  for _, one in ipairs(former) do
    local ratio, value, name = S.ratios[one[1]], one[3], one[1] .. '~' .. one[2]
    local function part(cells)
      if cells == NONE or not ratio then return 0, 0, 0 end
      local below = ratio[2] and (cells[ratio[2]] or 0) or 1
      if below <= 0 then return 0, 0, 0 end
      return 1, cells[ratio[1]] or 0, below
    end
    local n, above, below = part(new)
    local n0, above0, below0 = part(old)
    n, above, below = n - n0, above - above0, below - below0
    local sums = {
      ['#'] = n, [''] = n * value, ['^2'] = n * value * value, ['#*above'] = above, ['#*below'] = below,
      ['*above'] = above * value, ['*below'] = below * value,
    }
    for of, by in pairs(sums) do
      if by ~= 0 then add(key, name .. of, by) end
    end
  end
end

local function replace_total(group, old, new, former)
  local function change(key, before, after)
    contribute(key, before, after)
    covary(key, before, after, former)
  end
  local key = cohort(group, new[1])
  local past = old and cohort(group, old[1])
  if past == key then return change(key, old[2], new[2]) end
  if past then
    change(past, old[2], NONE)
    add(past, 'users', -1)
  end
  change(key, NONE, new[2])
  add(key, 'users', 1)
end

-- a row's places, when its unit last did anything, and what it had done before by experiment
local function unpacked(raw)
  if not raw then return {}, 0, {} end
  local row, minute, last, former = cmsgpack.unpack(raw)
  return row, last or ((minute or 0) + 1) * 60, former or {} -- of an older release's row at most what is known
end

local function size(map)
  local n = 0
  for _ in pairs(map) do n = n + 1 end
  return n
end

local function met(row, experiment)
  for id in pairs(row) do
    for _, one in ipairs(groups_of(tonumber(id)).phases) do
      if one[1] == experiment then return true end
    end
  end
  return false
end

-- what a unit did, whatever decided for it, as the value of a KPI; nil where it had no part in it
local function done(row, ratio)
  local above, below = 0, 0
  for _, part in pairs(row) do
    above = above + (part[2][ratio[1]] or 0)
    below = below + (ratio[2] and part[2][ratio[2]] or 0)
  end
  if not ratio[2] then below = above > 0 and 1 or 0 end
  return below > 0 and above / below or nil
end

local BEFORE = '_before' -- what a covariate's name adds to that of its KPI

-- A unit that comes to an experiment for the first time: what it did until then stands from now on, whatever comes later,
-- even if it was earlier. What it did after that moment by the clocks of gateways, but was heard of before, leaves none.
local function freeze(row, last, former, id, at, asked)
  for _, one in ipairs(groups_of(id).phases) do
    local experiment = one[1]
    local wanted = asked and asked[experiment]
    if wanted and not former[experiment] and not met(row, experiment) and size(former) < S.row_places then
      local found = {}
      for _, pair in ipairs(last < at and wanted or {}) do
        local ratio = S.ratios[string.sub(pair[2], 1, -1 - #BEFORE)]
        local value = ratio and done(row, ratio)
        if value then found[#found + 1] = { pair[1], pair[2], value } end
      end
      former[experiment] = found
    end
  end
end

-- Where a row has too many parts, the oldest becomes one with what is left of its arm: the arm's sums go on as before,
-- and what its version and experiment had of this unit stays there and is not changed again.
local function fold(row, former)
  local oldest
  for id, part in pairs(row) do
    local place = groups_of(tonumber(id))
    if (place.version ~= '' or #place.phases > 0) and (not oldest or part[1] < row[oldest][1]) then oldest = id end
  end
  if not oldest then return end
  local arm = groups_of(tonumber(oldest)).arm
  for _, one in ipairs(groups_of(tonumber(oldest)).phases) do former[one[1]] = former[one[1]] or {} end
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

-- Add `delta` (cells) to a unit's row at a place; `first`: when it was served there, nil where it must have been already;
-- `did`: when the unit did what is added, nil where it did nothing; `asked`: {experiment: {{KPI, covariate}, ...}}.
-- Returns false, and changes nothing, where no row may begin.
local function change_row(tenant, unit, id, first, delta, did, asked)
  local key, place = S.rows .. tenant, tostring(id)
  local raw, held = row_of(tenant, unit)
  local row, last, former = unpacked(raw)
  local part, kept = row[place], nil
  if not part then
    if not first then return false end
    if (not raw and number(S.bytes, 'rows') >= S.row_bytes) or (not raw and number(S.bytes, key) >= S.tenant_bytes) then
      add(S.counters, 'kpi_rows_refused', 1)
      return false
    end
    if size(row) >= S.row_places then fold(row, former) end
    freeze(row, last, former, id, first, asked)
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
    if new then -- a group for which the unit does not count keeps nothing of it
      replace_total(group, old, new, former[string.match(group, '^experiment:([^:]*):') or ''] or NONE)
    end
  end
  last = math.max(last, math.min(did or 0, now))
  local minute = math.floor(now / 60) -- when it changed, so that those that do not may be spilled
  local text = next(former) and cmsgpack.pack(row, minute, last, former) or cmsgpack.pack(row, minute, last)
  hset(key, unit, text)
  local bytes = #text - (held and #held or -ROW - #unit)
  add(S.bytes, 'rows', bytes)
  add(S.bytes, key, bytes)
  return true
end

-- a unit that counts for a phase: tenant, unit, place, when, cells that are 1 once and for all, covariates asked for
function verbs.exposed(tenant, unit, place, at, marks, asked)
  local id, raw = place_id(place), row_of(tenant, unit)
  local part = raw and cmsgpack.unpack(raw)[tostring(id)]
  local new = {}
  for cell in pairs(marks) do new[cell] = not (part and part[2][cell]) and 1 or nil end
  change_row(tenant, unit, id, math.min(at, now), new, nil, asked)
end

-- what a shadow pair says of a unit: tenant, unit, place, when, cells
function verbs.pair(tenant, unit, place, at, cells)
  change_row(tenant, unit, place_id(place), math.min(at, now), cells)
end
