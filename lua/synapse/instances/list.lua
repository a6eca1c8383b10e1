--- The instances of one path, sorted, each host:port once.
--
-- A large service changes by one instance at a time, so what came is put where
-- it belongs and nothing is sorted anew. The same host:port twice is one
-- server; the newest znode speaks for it, and the other one again when that is
-- gone.
--
-- @module synapse.instances.list

local instance = require("synapse.instances.instance")

local roster = {}
roster.__index = roster

-- Above so many changes at once, sorting everything is cheaper.
local FEW = 16

local function by_key(a, b)
  return a.key < b.key
end

--- Returns a roster.
-- @tparam ?{instance,...} instances in any order
-- @treturn roster
function roster.new(instances)
  local self = setmetatable({all = {}, doubles = 0, unique = {}}, roster)
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

local function insert(self, one)
  local place = find(self.all, one.key)
  if has_key(self.all, place, one.key) then
    self.doubles = self.doubles + 1
  end
  table.insert(self.all, place, one)
end

local function remove(self, one)
  local all, first = self.all, find(self.all, one.key)
  local place = first
  while has_key(all, place, one.key) and all[place] ~= one do
    place = place + 1
  end
  if all[place] ~= one then
    return
  end
  table.remove(all, place)
  if has_key(all, first, one.key) then
    self.doubles = self.doubles - 1
  end
end

local function sort_anew(self, gone, come)
  local is_gone, all = {}, {}
  for _, one in ipairs(gone) do
    is_gone[one] = true
  end
  for _, one in ipairs(self.all) do
    all[#all + 1] = not is_gone[one] and one or nil
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
  for _, one in ipairs(all) do
    if not last or last.key ~= one.key then
      list[#list + 1] = one
      last = one
    elseif instance.is_newer(one, last) then
      list[#list] = one
      last = one
    end
  end
  return list
end

--- Takes instances out and puts others in.
-- @tparam {instance,...} gone the very tables that were put in
-- @tparam {instance,...} come
function roster:change(gone, come)
  if #gone + #come > FEW then
    sort_anew(self, gone, come)
  else
    for _, one in ipairs(gone) do
      remove(self, one)
    end
    for _, one in ipairs(come) do
      insert(self, one)
    end
  end
  self.unique = self.doubles > 0 and newest_of_each(self.all) or
    table.move(self.all, 1, #self.all, 1, {})
end

--- Tells whether there is an instance.
-- @tparam string key
-- @treturn boolean
function roster:has(key)
  return has_key(self.all, find(self.all, key), key)
end

--- Lists the instances.
-- @treturn {instance,...} sorted by key, each key once; a table that never
--   changes
function roster:list()
  return self.unique
end

return roster
