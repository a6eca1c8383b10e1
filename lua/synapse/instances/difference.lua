--- Tells two lists of instances apart.
--
-- Both are sorted by key and have each key once, so one walk along the two is
-- enough: what a change costs hardly grows with what did not change.
--
-- Pure.
--
-- @module synapse.instances.difference

local instance = require("synapse.instances.instance")

local difference = {}

--- What became of the instances of before.
-- @table difference
-- @tfield {instance,...} added
-- @tfield {instance,...} removed
-- @tfield {{before,now},...} renewed instances that serve otherwise now

-- Most are the very tables of before, so that is asked first.
local function renew(found, before, now)
  if before ~= now and not instance.is_same(before, now) then
    table.insert(found.renewed, {before = before, now = now})
  end
end

-- How many are the very same tables from the beginning on. These are passed
-- over without a look into them: in a large service they are nearly all.
local function same_at_start(before, now)
  local most = math.min(#before, #now)
  for i = 1, most do
    if before[i] ~= now[i] then
      return i - 1
    end
  end
  return most
end

local function same_at_end(before, now, start)
  local most, shift = math.min(#before, #now) - start, #now - #before
  for i = #before, #before - most + 1, -1 do
    if before[i] ~= now[i + shift] then
      return #before - i
    end
  end
  return most
end

--- Lists what differs between two lists.
-- @tparam {instance,...} before sorted by key
-- @tparam {instance,...} now sorted by key
-- @treturn difference
function difference.between(before, now)
  local found = {added = {}, removed = {}, renewed = {}}
  local start = same_at_start(before, now)
  local rest = same_at_end(before, now, start)
  local i, j = start + 1, start + 1
  local last_i, last_j = #before - rest, #now - rest
  while i <= last_i or j <= last_j do
    local old = i <= last_i and before[i]
    local new = j <= last_j and now[j]
    if old and new and old.key == new.key then
      renew(found, old, new)
      i, j = i + 1, j + 1
    elseif new and (not old or new.key < old.key) then
      table.insert(found.added, new)
      j = j + 1
    else
      table.insert(found.removed, old)
      i = i + 1
    end
  end
  return found
end

--- Tells whether there is none.
-- @tparam difference found
-- @treturn boolean
function difference.is_empty(found)
  return #found.added == 0 and #found.removed == 0 and #found.renewed == 0
end

return difference
