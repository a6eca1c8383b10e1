--- Tells two lists of instances apart.
--
-- Both are sorted by key and have each key once, so one walk along the two is
-- enough: what a change costs hardly grows with what did not change.
--
-- Pure.
--
-- @module synapse.difference

local instance = require("synapse.instance")

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

--- Lists what differs between two lists.
-- @tparam {instance,...} before sorted by key
-- @tparam {instance,...} now sorted by key
-- @treturn difference
function difference.between(before, now)
  local found = {added = {}, removed = {}, renewed = {}}
  local i, j = 1, 1
  local old, new = before[1], now[1]
  while old or new do
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
    old, new = before[i], now[j]
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
