--- Lists of instances, sorted, each host:port once: kept, compared, and put
-- together.
--
-- A large service changes by one instance at a time. So a new instance is put
-- where it belongs without sorting the list, and what this changes is
-- remembered: nobody has to compare the two lists. Other lists are compared in
-- one walk along both. If two znodes have the same host:port, they are one
-- server. The newest znode counts, and the other one when that is gone.
--
-- @module synapse.instances.list

local instance = require("synapse.instances.instance")

local instance_list = {}
instance_list.__index = instance_list

-- With more changes than this at once, sorting everything is cheaper.
local FEW = 16

-- The last comparison of each list with the one before it, `{before,
-- difference}`. Lists never change, so neither does the difference.
local compared = setmetatable({}, {__mode = "k"})

local function by_key(a, b)
  return a.key < b.key
end

--- Returns a list.
-- @tparam ?{instance,...} instances in any order
-- @treturn list
function instance_list.new(instances)
  local self = setmetatable({all = {}, doubles = 0, unique = {}}, instance_list)
  self:change({}, instances or {})
  return self
end

-- The first place whose key is not below the one given.
local function find(all, key)
  local low, high = 1, #all + 1
  while low < high do
    local middle = (low + high) // 2
    if all[middle].key < key then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

local function has_key(all, place, key)
  return all[place] ~= nil and all[place].key == key
end

local function insert(self, element)
  local place = find(self.all, element.key)
  if has_key(self.all, place, element.key) then
    self.doubles = self.doubles + 1
  end
  table.insert(self.all, place, element)
end

local function remove(self, element)
  local all, first = self.all, find(self.all, element.key)
  local place = first
  while has_key(all, place, element.key) and all[place] ~= element do
    place = place + 1
  end
  if all[place] ~= element then
    return
  end
  table.remove(all, place)
  if has_key(all, first, element.key) then
    self.doubles = self.doubles - 1
  end
end

local function sort_all(self, gone, come)
  local is_gone, all = {}, {}
  for _, element in ipairs(gone) do
    is_gone[element] = true
  end
  for _, element in ipairs(self.all) do
    all[#all + 1] = not is_gone[element] and element or nil
  end
  table.move(come, 1, #come, #all + 1, all)
  table.sort(all, by_key)
  self.all, self.doubles = all, 0
  for i = 2, #all do
    if all[i].key == all[i - 1].key then
      self.doubles = self.doubles + 1
    end
  end
end

local function newest_of_each(all)
  local list, last = {}, nil
  for _, element in ipairs(all) do
    if not last or last.key ~= element.key then
      list[#list + 1] = element
      last = element
    elseif instance.is_newer(element, last) then
      list[#list] = element
      last = element
    end
  end
  return list
end

-- By how many instances the list has become longer.
local function growth_of(difference)
  return #difference.added - #difference.removed
end

-- Notes the difference of two lists. Otherwise each list would keep all lists
-- before it.
local function note(before, now, difference)
  compared[before] = nil
  compared[now] = {before = before, difference = difference}
end

local walk

-- If no host:port is there twice, the lists differ by what came and went.
local function note_change(self, before, gone, come)
  local sorted = {}
  for i, list in ipairs({gone, come}) do
    sorted[i] = table.move(list, 1, #list, 1, {})
    table.sort(sorted[i], by_key)
  end
  local difference = walk(sorted[1], sorted[2])
  if #self.unique == #before + growth_of(difference) then
    note(before, self.unique, difference)
  end
end

--- Takes instances out and puts others in.
-- @tparam {instance,...} gone the very tables that were put in
-- @tparam {instance,...} come
function instance_list:change(gone, come)
  local before, had_doubles = self.unique, self.doubles > 0
  if #gone + #come > FEW then
    sort_all(self, gone, come)
  else
    for _, element in ipairs(gone) do
      remove(self, element)
    end
    for _, element in ipairs(come) do
      insert(self, element)
    end
  end
  self.unique = self.doubles > 0 and newest_of_each(self.all) or
    table.move(self.all, 1, #self.all, 1, {})
  if not had_doubles and self.doubles == 0 then
    note_change(self, before, gone, come)
  end
end

--- Tells whether there is an instance.
-- @tparam string key
-- @treturn boolean
function instance_list:has(key)
  return has_key(self.all, find(self.all, key), key)
end

--- Lists the instances.
-- @treturn {instance,...} sorted by key, each key once; a table that never
--   changes
function instance_list:list()
  return self.unique
end

--- What has changed between two lists.
-- @table difference
-- @tfield {instance,...} added
-- @tfield {instance,...} removed
-- @tfield {{before,now},...} renewed instances of which something has changed

-- Most instances are the very same tables as before, so that is tested first.
local function renew(difference, before, now)
  if before ~= now and not instance.is_same(before, now) then
    table.insert(difference.renewed, {before = before, now = now})
  end
end

-- Returns how many instances at the beginning are the very same tables. These
-- need no comparison: in a large service they are nearly all.
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

function walk(before, now)
  local difference = {added = {}, removed = {}, renewed = {}}
  local start = same_at_start(before, now)
  local rest = same_at_end(before, now, start)
  local i, j = start + 1, start + 1
  local last_i, last_j = #before - rest, #now - rest
  while i <= last_i or j <= last_j do
    local old = i <= last_i and before[i]
    local new = j <= last_j and now[j]
    if old and new and old.key == new.key then
      renew(difference, old, new)
      i, j = i + 1, j + 1
    elseif new and (not old or new.key < old.key) then
      table.insert(difference.added, new)
      j = j + 1
    else
      table.insert(difference.removed, old)
      i = i + 1
    end
  end
  return difference
end

--- Lists what differs between two lists, which do not change afterwards.
-- @tparam {instance,...} before sorted by key
-- @tparam {instance,...} now sorted by key
-- @treturn difference which does not change either
function instance_list.difference(before, now)
  local last = compared[now]
  if last and last.before == before then
    return last.difference
  end
  local difference = walk(before, now)
  if before ~= now then
    note(before, now, difference)
  end
  return difference
end

--- Tells whether two lists do not differ.
-- @tparam difference difference
-- @treturn boolean
function instance_list.is_unchanged(difference)
  return #difference.added == 0 and #difference.removed == 0 and
    #difference.renewed == 0
end

--- Counts the instances of which something is true.
-- @tparam {instance,...} instances
-- @tparam function is_true takes an instance
-- @treturn integer
function instance_list.count(instances, is_true)
  local number = 0
  for _, element in ipairs(instances) do
    number = number + (is_true(element) and 1 or 0)
  end
  return number
end

--- Makes one list of two: one walk along both, and nothing is sorted.
-- @tparam {instance,...} first sorted by key, each key once
-- @tparam {instance,...} second likewise
-- @treturn {instance,...} sorted by key; of a key that both have, the newest
function instance_list.merge(first, second)
  local list, i, j = {}, 1, 1
  while first[i] or second[j] do
    local a, b = first[i], second[j]
    if a and b and a.key == b.key then
      list[#list + 1] = instance.is_newer(b, a) and b or a
      i, j = i + 1, j + 1
    elseif a and (not b or a.key < b.key) then
      list[#list + 1] = a
      i = i + 1
    else
      list[#list + 1] = b
      j = j + 1
    end
  end
  return list
end

local function union(lists)
  local all = lists[1]
  for i = 2, #lists do
    all = instance_list.merge(all, lists[i])
  end
  return all
end

-- Returns the first list that is not empty. So an earlier source counts again
-- as soon as it has an instance.
local function sequential(lists)
  for _, list in ipairs(lists) do
    if #list > 0 then
      return list
    end
  end
  return {}
end

local RESOLVERS = {union = union, sequential = sequential}

--- Returns the instances of a service.
-- @tparam string resolver
-- @tparam {{instance,...},...} lists one for each source, in order, each as
--   `instance_list:list` returns it; maybe none
-- @treturn {instance,...} sorted by key, each host:port once
function instance_list.resolve(resolver, lists)
  if #lists < 2 then
    return lists[1] or {}
  end
  return RESOLVERS[resolver](lists)
end

return instance_list
