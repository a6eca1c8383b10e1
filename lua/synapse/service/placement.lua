--- Which instance is in which slot, and which instances wait for one.
--
-- Each slot is of one kind: for host names, for backups, or plain. A hash of
-- the instance's host:port gives the slot, so that HAProxies that know nothing
-- of each other mostly agree. If that slot is taken, the next one is tried
-- (open addressing). Instances are placed in sorted order, so equal sets give
-- equal tables. A later change places only what differs: if one of a thousand
-- instances comes or goes, that costs little.
--
-- @module synapse.service.placement

local placement = {}
placement.__index = placement

--- What HAProxy's configuration makes of a slot.
-- @table declaration
-- @tfield integer weight
-- @tfield integer maxconn 0: no limit
-- @tfield boolean is_backup
-- @tfield boolean is_for_names whether HAProxy resolves names for it

--- The kinds of slots, in the order in which they are filled.
placement.KINDS = {"plain", "backup", "name"}

local function kind_of_declaration(declaration)
  if declaration.is_for_names then
    return "name"
  end
  return declaration.is_backup and "backup" or "plain"
end

--- Returns the kind of each slot. If all slots are backups, none counts as one.
-- @tparam {[string]=declaration} declared by slot
-- @treturn {[string]=string} "plain", "backup" or "name", by slot
function placement.kinds_of_slots(declared)
  local kinds, has_plain = {}, false
  for slot, declaration in pairs(declared) do
    kinds[slot] = kind_of_declaration(declaration)
    has_plain = has_plain or kinds[slot] == "plain"
  end
  for slot, kind in pairs(kinds) do
    kinds[slot] = kind == "backup" and not has_plain and "plain" or kind
  end
  return kinds
end

--- Returns the kind of slot that an instance needs.
-- @tparam instance instance
-- @tparam boolean has_backups whether there are slots for them
-- @treturn string
function placement.kind_of_instance(instance, has_backups)
  if instance.is_name then
    return "name"
  end
  return instance.is_backup and has_backups and "backup" or "plain"
end

--- Returns why an instance that asks to be a backup cannot be one, or nil.
-- @tparam instance instance
-- @tparam boolean has_backups
-- @treturn ?string
function placement.backup_objection(instance, has_backups)
  if not instance.is_backup then
    return nil
  elseif instance.is_name then
    return "a host name has no slot for that"
  end
  return not has_backups and "no slot is declared `backup`" or nil
end

local FNV_OFFSET = 0x811c9dc5
local FNV_PRIME = 0x01000193

-- FNV-1a spreads the last byte badly over the low bits, which choose the slot.
-- The shifts at the end repair that.
local function hash(text)
  local value = FNV_OFFSET
  for i = 1, #text do
    value = (value ~ text:byte(i)) * FNV_PRIME & 0xffffffff
  end
  value = (value ~ value >> 16) * 0x85ebca6b & 0xffffffff
  return value ~ value >> 13
end

-- Returns the slots that keep their instance: those whose instance is wanted.
local function keep(pool, placed, wanted)
  local kept, has_slot = {}, {}
  for _, slot in ipairs(pool) do
    local key = placed[slot]
    if key and wanted[key] and not has_slot[key] then
      kept[slot] = key
      has_slot[key] = true
    end
  end
  return kept, has_slot
end

--- Chooses the slot for one more instance.
-- @tparam {string,...} pool the backend's slots, in order
-- @tparam {[string]=string} placed key of the instance in each slot
-- @tparam string key of the instance
-- @tparam function rest_of see `placement.assign`
-- @treturn ?string nil when none may be used
function placement.choose_slot(pool, placed, key, rest_of)
  local first = #pool > 0 and hash(key) % #pool
  local resting
  for step = 0, #pool - 1 do
    local slot = pool[(first + step) % #pool + 1]
    local rest = not placed[slot] and rest_of(slot)
    if rest == nil then
      return slot
    end
    resting = resting or rest == "may be used" and slot or nil
  end
  return resting
end

--- Assigns instances to slots.
-- @tparam {string,...} pool the backend's slots, in order
-- @tparam {[string]=string} placed key of the instance in each slot until now
-- @tparam {string,...} keys of the instances wanted, sorted
-- @tparam function rest_of tells of a free slot that sessions of its last
--   instance go on: "may be used" where no other slot is free, or "in use"; or
--   nil
-- @treturn {[string]=string} key of the instance in each slot
-- @treturn {string,...} keys that found no slot
function placement.assign(pool, placed, keys, rest_of)
  local wanted, waiting = {}, {}
  for _, key in ipairs(keys) do
    wanted[key] = true
  end
  local assigned, has_slot = keep(pool, placed, wanted)
  local is_full = false
  for _, key in ipairs(keys) do
    if not has_slot[key] then
      local slot = not is_full and
        placement.choose_slot(pool, assigned, key, rest_of)
      if slot then
        assigned[slot] = key
      else
        is_full = true
        waiting[#waiting + 1] = key
      end
    end
  end
  return assigned, waiting
end

-- A slot rests while sessions of the instance that left it go on. Their
-- connections may lead other requests there later, except those of an added
-- slot (see `synapse.haproxy.add_server`). A slot whose instance leaves in the
-- same change is used last, because no instance would serve in it before the
-- old one has gone.
local function rest_test(self)
  return function(slot)
    if self.vacated[slot] and self.sessions(slot) == 0 then
      self.vacated[slot] = nil
    end
    if not self.vacated[slot] then
      return self.leaving[slot] and "may be used" or nil
    end
    return self.must_rest and not self.is_added[slot] and "in use" or
      "may be used"
  end
end

local function kind_of(self, key)
  return placement.kind_of_instance(self.by_key[key], self:has("backup"))
end

local function part(self)
  self.pools = {}
  for _, kind in ipairs(placement.KINDS) do
    self.pools[kind] = {}
  end
  for _, slot in ipairs(self.pool) do
    table.insert(self.pools[self.kinds[slot]], slot)
  end
end

local function place_kind(self, kind, before)
  local keys = {}
  for key in pairs(self.by_key) do
    keys[#keys + 1] = kind_of(self, key) == kind and key or nil
  end
  table.sort(keys)
  local placed, waiting =
    placement.assign(self.pools[kind], before, keys, rest_test(self))
  for slot, key in pairs(placed) do
    self.placed[slot] = key
  end
  table.move(waiting, 1, #waiting, #self.waiting + 1, self.waiting)
end

-- Places all instances again; each keeps its slot where that still exists.
local function place_all(self)
  local before = self.placed
  self.placed, self.waiting = {}, {}
  part(self)
  for _, kind in ipairs(placement.KINDS) do
    place_kind(self, kind, before)
  end
  table.sort(self.waiting)
  self.slot_of = {}
  for slot, key in pairs(self.placed) do
    self.slot_of[key] = slot
  end
end

--- Places instances.
-- @tparam {string,...} pool the backend's slots, in order
-- @tparam {[string]=string} placed key of the instance in each slot until now
-- @tparam {instance,...} instances
-- @tparam function sessions returns how many sessions a slot has
-- @tparam {[string]=string} kinds_by_slot see `placement.kinds_of_slots`
-- @tparam ?boolean must_rest whether a slot is not used again before the
--   sessions of its last instance are gone
-- @tparam ?{[string]=boolean} vacated the slots that instances have left
-- @treturn placement with `pool`; `placed`, key by slot; `by_key`, instance by
--   key; `waiting`, keys without a slot, sorted; `kinds`, by slot
function placement.new(pool, placed, instances, sessions, kinds_by_slot,
  must_rest, vacated)
  local self = setmetatable({
    pool = pool, placed = placed, by_key = {}, vacated = vacated or {},
    last = {}, left = {}, misplaced = {}, sessions = sessions, leaving = {},
    kinds = kinds_by_slot, must_rest = must_rest, is_added = {},
  }, placement)
  for _, instance in ipairs(instances) do
    self.by_key[instance.key] = instance
  end
  place_all(self)
  return self
end

-- Remembers only the last instance of a slot.
local function remember(self, slot, key)
  local before = self.last[slot]
  if before and self.left[before] == slot then
    self.left[before] = nil
  end
  self.last[slot], self.left[key] = key, slot
  self.vacated[slot] = true
end

local function leave(self, instance)
  local slot = self.slot_of[instance.key]
  self.by_key[instance.key], self.misplaced[instance.key] = nil, nil
  if slot then
    self.slot_of[instance.key] = nil
    self.placed[slot] = nil
    remember(self, slot, instance.key)
  end
  return slot
end

local function put(self, key, slot, touched)
  self.placed[slot], self.slot_of[key] = key, slot
  touched[#touched + 1] = slot
end

-- An instance whose last slot is free returns to it, because the sessions that
-- make the slot rest are its own. Returns the other instances.
local function go_home(self, keys, touched)
  local others = {}
  for _, key in ipairs(keys) do
    local slot = self:home(key)
    if slot and self.kinds[slot] == kind_of(self, key) then
      put(self, key, slot, touched)
    else
      others[#others + 1] = key
    end
  end
  return others
end

-- Gives slots to the instances without one, in sorted order.
local function enter(self, added, touched)
  local keys, rest_of = {}, rest_test(self)
  for _, instance in ipairs(added) do
    self.by_key[instance.key] = instance
    keys[#keys + 1] = instance.key
  end
  for _, key in ipairs(self.waiting) do
    keys[#keys + 1] = self.by_key[key] and key
  end
  table.sort(keys)
  self.waiting = {}
  local is_full = {}
  for _, key in ipairs(go_home(self, keys, touched)) do
    local kind = kind_of(self, key)
    local slot = not is_full[kind] and
      placement.choose_slot(self.pools[kind], self.placed, key, rest_of)
    if slot then
      put(self, key, slot, touched)
    else
      is_full[kind] = true
      self.waiting[#self.waiting + 1] = key
    end
  end
end

local function count_free(self, kind)
  local free, rest_of = 0, rest_test(self)
  for _, slot in ipairs(self.pools[kind]) do
    local is_free = not self.placed[slot] and
      not (self.must_rest and rest_of(slot) == "in use")
    free = free + (is_free and 1 or 0)
  end
  return free
end

-- Returns a function that takes one free slot of a kind from the count, and
-- tells whether there was one. Instances without a slot come first.
local function new_supply(self, added)
  local free = {}
  local function spare(kind)
    local number = count_free(self, kind)
    for _, instance in ipairs(added) do
      number = number - (kind_of(self, instance.key) == kind and 1 or 0)
    end
    for _, key in ipairs(self.waiting) do
      number = number - (self.by_key[key] and kind_of(self, key) == kind and
        1 or 0)
    end
    return number
  end
  return function(kind)
    free[kind] = (free[kind] or spare(kind)) - 1
    return free[kind] >= 0
  end
end

-- An instance that has become a backup, or is no longer one, moves to a slot of
-- the other kind. While no such slot is free it stays where it is: a slot of
-- the wrong kind is better than none.
local function move(self, instance, left, entering, has_free)
  local kind = kind_of(self, instance.key)
  local slot = self.slot_of[instance.key]
  self.misplaced[instance.key] = nil
  if not slot or self.kinds[slot] == kind then
    return
  elseif not has_free(kind) then
    self.misplaced[instance.key] = true
    return
  end
  left[#left + 1] = leave(self, instance)
  entering[#entering + 1] = instance
end

local function renew(self, instance, left, touched, entering, has_free)
  self.by_key[instance.key] = instance
  move(self, instance, left, entering, has_free)
  -- Nil if it has no slot, or has just left it.
  touched[#touched + 1] = self.slot_of[instance.key]
end

-- Lists the instances in a slot of the wrong kind, sorted.
local function misplaced(self)
  local keys = {}
  for key in pairs(self.misplaced) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

--- Applies a change of the instances.
-- @tparam difference difference
-- @treturn {string,...} slots that an instance left
-- @treturn {string,...} slots that have another instance or a renewed one
function placement:change(difference)
  local left, touched = {}, {}
  local entering = table.move(difference.added, 1, #difference.added, 1, {})
  for _, instance in ipairs(difference.removed) do
    left[#left + 1] = leave(self, instance)
  end
  for _, slot in ipairs(left) do
    self.leaving[slot] = true
  end
  for _, instance in ipairs(difference.added) do
    self.by_key[instance.key] = instance
  end
  local has_free = new_supply(self, difference.added)
  for _, renewed in ipairs(difference.renewed) do
    renew(self, renewed.now, left, touched, entering, has_free)
  end
  for _, key in ipairs(misplaced(self)) do
    move(self, self.by_key[key], left, entering, has_free)
  end
  enter(self, entering, touched)
  self.leaving = {}
  return left, touched
end

-- Returns whether a slot is of a kind that an instance waits for.
local function is_awaited(self, slot)
  for _, key in ipairs(self.waiting) do
    if kind_of(self, key) == self.kinds[slot] then
      return true
    end
  end
  return false
end

--- Tells whether instances wait for slots that rest, and whether one has
-- rested.
-- @treturn boolean whether there are any
-- @treturn boolean whether any has rested by now
function placement:resting()
  if not self.must_rest or #self.waiting == 0 then
    return false, false
  end
  local is_any, rest_of = false, rest_test(self)
  for _, slot in ipairs(self.pool) do
    if not self.placed[slot] and is_awaited(self, slot) then
      if rest_of(slot) == nil then
        return true, true
      end
      is_any = true
    end
  end
  return is_any, false
end

--- Gives slots that have rested to instances without one.
-- @treturn {string,...} these slots
function placement:enter_rested()
  local touched = {}
  enter(self, {}, touched)
  return touched
end

--- Tells whether there are slots of a kind.
-- @tparam string kind
-- @treturn boolean
function placement:has(kind)
  return #self.pools[kind] > 0
end

--- Tells whether it has a slot.
-- @tparam string slot
-- @treturn boolean
function placement:has_slot(slot)
  return self.kinds[slot] ~= nil
end

--- Places instances again, whatever became of them; each keeps its slot.
-- @tparam {instance,...} instances
function placement:restart(instances)
  self.by_key = {}
  for _, instance in ipairs(instances) do
    self.by_key[instance.key] = instance
  end
  place_all(self)
end

--- Continues with fewer slots.
-- @tparam {string,...} pool
function placement:shrink(pool)
  local is_kept = {}
  for _, slot in ipairs(pool) do
    is_kept[slot] = true
  end
  for _, slot in ipairs(self.pool) do
    self.kinds[slot] = is_kept[slot] and self.kinds[slot] or nil
  end
  self.pool = pool
  self.last, self.left, self.misplaced = {}, {}, {}
  place_all(self)
end

--- Lists which kinds of slots are missing: one kind for each instance that has
-- no slot or a slot of the wrong kind. A slot for a host name cannot be added.
-- @treturn {string,...} "plain" and "backup"
function placement:growable()
  local list = {}
  for _, keys in ipairs({self.waiting, misplaced(self)}) do
    for _, key in ipairs(keys) do
      local kind = kind_of(self, key)
      list[#list + 1] = kind ~= "name" and kind or nil
    end
  end
  return list
end

-- Returns the place in a list of the first instance that needs such a slot.
local function first_of(self, keys, kind)
  for i, key in ipairs(keys) do
    if kind_of(self, key) == kind then
      return i
    end
  end
  return nil
end

-- An instance in a slot of the wrong kind goes to one that was added. Returns
-- the slot that it left.
local function resettle(self, slot, kind)
  local keys = misplaced(self)
  local first = first_of(self, keys, kind)
  if not first then
    return nil
  end
  local key = keys[first]
  local instance = self.by_key[key]
  local left = leave(self, instance)
  self.by_key[key] = instance
  self.placed[slot], self.slot_of[key] = key, slot
  return left
end

--- Adds a slot and gives it to the first instance that waits for one, or to the
-- first in a slot of the wrong kind.
-- @tparam string slot
-- @tparam string kind of it
-- @treturn ?string the slot that the instance left
function placement:grow(slot, kind)
  self.pool[#self.pool + 1] = slot
  self.kinds[slot], self.is_added[slot] = kind, true
  table.insert(self.pools[kind], slot)
  local first = first_of(self, self.waiting, kind)
  local key = first and table.remove(self.waiting, first)
  if not key then
    return resettle(self, slot, kind)
  end
  self.placed[slot], self.slot_of[key] = key, slot
  return nil
end

-- The slots that were added are the last ones.
local function take_out(list, slot)
  for i = #list, 1, -1 do
    if list[i] == slot then
      table.remove(list, i)
      return
    end
  end
end

--- Continues without an empty slot.
-- @tparam string slot
-- @treturn string its kind
function placement:remove(slot)
  local kind, key = self.kinds[slot], self.last[slot]
  take_out(self.pool, slot)
  take_out(self.pools[kind], slot)
  if key and self.left[key] == slot then
    self.left[key] = nil
  end
  self.last[slot], self.vacated[slot] = nil, nil
  self.kinds[slot], self.is_added[slot] = nil, nil
  return kind
end

--- Returns the slot that an instance has, or its last slot if that is still
-- free.
-- @tparam string key
-- @treturn ?string
function placement:home(key)
  local slot = self.left[key]
  return self.slot_of[key] or slot and not self.placed[slot] and slot or nil
end

--- Returns the instance in a slot.
-- @tparam string slot
-- @treturn ?instance
function placement:at(slot)
  local key = self.placed[slot]
  return key and self.by_key[key]
end

return placement
