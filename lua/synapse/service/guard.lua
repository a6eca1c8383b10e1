--- Protects a service against the removal of many instances at once.
--
-- Data of the ensemble that was wiped, a nerve with a wrong configuration: the
-- znodes go and the instances go on answering. So when many go at once they are
-- *suspects*. A suspect stays in its slot while HAProxy's own check of it
-- passes, and for a time that ends by itself.
--
-- Where instances come and go all the time a window holds thousands of them.
-- So whoever comes or goes waits in a queue until the window has passed it, and
-- nothing is looked through again at each change.
--
-- Pure: the clock is an argument, and does not go back.
--
-- @module synapse.service.guard

local instance_list = require("synapse.instances.list")

local guard = {}
guard.__index = guard

-- Fewer than these are no mass, whatever their share.
local LEAST = 3

-- A queue of things that carry the time when they came.
local queue = {}
queue.__index = queue

local function new_queue()
  return setmetatable({first = 1, last = 0}, queue)
end

-- Adds a thing, which is not older than the last one.
function queue:push(thing)
  self.last = self.last + 1
  self[self.last] = thing
end

-- Takes out one thing after the other, as long as they are not after a time.
function queue:until_time(time)
  return function()
    local thing = self[self.first]
    if not thing or thing.at > time then
      return nil
    end
    self[self.first] = nil
    self.first = self.first + 1
    return thing
  end
end

--- What the guard of a service goes by.
-- @table settings
-- @tfield number window seconds: removals within it are counted together
-- @tfield number share  from 0 to 1: so many of the instances make a mass
-- @tfield number hold   seconds that a suspect stays at most; 0: no guard

--- What became of suspects since the last report.
-- @table report
-- @tfield ?{lost=integer,were=integer} mass the count that began a protection
-- @tfield {string,...} held keys of instances that have become suspects
-- @tfield {{key=string,why=string},...} left those that are none any more,
--   sorted by why and key

--- Tells why an instance may not stay, from what its slot is.
-- @tparam instance one
-- @tparam ?server server of the slot that it is in, or was in and is free
-- @treturn ?string nil: it may
function guard.objection(one, server)
  if not server then
    return "another instance has the slot"
  elseif server.check == "none" then
    return "the slot has no check"
  elseif server.check == "fails" and
    (server.fqdn or server.host) == one.host and server.port == one.port
  then
    return "HAProxy's check fails"
  end
  return nil
end

-- An entry of those that are gone is `lost` while its instance was there a
-- window ago, and `past` once it has been gone for longer.
local function lose(self, entry)
  entry.lost = true
  self.lost = self.lost + 1
end

local function find(self, entry)
  self.lost = self.lost - (entry.lost and 1 or 0)
  entry.lost = false
end

-- Those of the last run, as if they had gone here.
local function queue_gone(self, now)
  local list = {}
  for _, entry in pairs(self.gone) do
    list[#list + 1] = entry
  end
  table.sort(list, function(a, b) return a.at < b.at end)
  for _, entry in ipairs(list) do
    if entry.at > now - self.settings.window then
      lose(self, entry)
      self.departures:push(entry)
    else
      entry.past = true
    end
  end
end

--- Returns a guard that knows which instances there were.
-- @tparam settings settings
-- @tparam {instance,...} instances sorted by key, suspects included
-- @tparam {[string]=number} suspects until when each stays, by key
-- @tparam number now seconds
-- @treturn guard
function guard.new(settings, instances, suspects, now)
  local self = setmetatable({
    settings = settings, present = {}, born = {}, gone = {}, held = {},
    candidates = {}, lost = 0, arrivals = new_queue(), departures = new_queue(),
  }, guard)
  for _, one in ipairs(instances) do
    local till = settings.hold > 0 and suspects[one.key]
    if till then
      till = math.min(till, now + settings.hold)
      self.gone[one.key] =
        {one = one, at = till - settings.hold, born = -math.huge}
      self.held[one.key] = till
    else
      table.insert(self.present, one)
    end
  end
  queue_gone(self, now)
  return self
end

-- An instance with weight 0 has said itself that it goes.
local function serves(one)
  return one.weight ~= 0
end

local function release(self, key, why, report)
  self.held[key] = nil
  if self.gone[key] and self.gone[key].past then
    self.gone[key] = nil
  end
  table.insert(report.left, {why = why, key = key})
end

-- Where it is older than the window, nobody asks when it was born.
local function leave(self, one, now, objection)
  local born = self.born[one.key]
  self.born[one.key] = nil
  if not serves(one) then
    self.gone[one.key] = nil
    return
  end
  local entry = {
    one = one, at = now, born = born or -math.huge, barred = objection(one),
  }
  if not born then
    lose(self, entry)
  end
  self.gone[one.key] = entry
  self.candidates[one.key] = not entry.barred and entry or nil
  self.departures:push(entry)
end

-- One that comes back soon was never away.
local function come(self, one, now)
  local before = self.gone[one.key]
  self.gone[one.key], self.candidates[one.key] = nil, nil
  if not before then
    self.born[one.key] = now
    self.arrivals:push({key = one.key, at = now})
    return
  end
  find(self, before)
  if before.born > now - self.settings.window then
    self.born[one.key] = before.born
  end
end

local function note(self, instances, now, objection, report)
  local found = instance_list.difference(self.present, instances)
  for _, one in ipairs(found.removed) do
    leave(self, one, now, objection)
  end
  for _, one in ipairs(found.added) do
    come(self, one, now)
    if self.held[one.key] then
      release(self, one.key, "registered again", report)
    end
  end
  self.present = instances
end

local function grow_old(self, arrival)
  local entry = self.gone[arrival.key]
  if self.born[arrival.key] == arrival.at then
    self.born[arrival.key] = nil
  elseif entry and entry.born == arrival.at then
    lose(self, entry)
  end
end

local function forget(self, entry)
  find(self, entry)
  entry.past = true
  local key = entry.one.key
  if self.gone[key] == entry and not self.held[key] then
    self.gone[key], self.candidates[key] = nil, nil
  end
end

-- What is older than the window does not matter to any count.
local function pass_time(self, now)
  local ago = now - self.settings.window
  for arrival in self.arrivals:until_time(ago) do
    grow_old(self, arrival)
  end
  for entry in self.departures:until_time(ago) do
    forget(self, entry)
  end
end

-- Of the instances that were there a window ago: how many are gone, how many
-- there were; nil when they are no mass.
local function count(self)
  local lost = self.lost
  if lost < LEAST then
    return nil
  end
  local were = lost
  for _, one in ipairs(self.present) do
    were = were + (serves(one) and not self.born[one.key] and 1 or 0)
  end
  return lost >= self.settings.share * were and {lost = lost, were = were}
    or nil
end

local function review(self, now, objection, report)
  for key, till in pairs(self.held) do
    local entry = self.gone[key]
    entry.barred = now >= till and "the time is over" or objection(entry.one)
    if entry.barred then
      release(self, key, entry.barred, report)
    end
  end
end

-- Whoever is gone and not barred stays until its own time is over.
local function hold(self, now, objection, report)
  for key, entry in pairs(self.candidates) do
    local till = entry.at + self.settings.hold
    if now < till then
      self.candidates[key] = nil
      entry.barred = objection(entry.one)
      if not entry.barred then
        self.held[key] = till
        table.insert(report.held, key)
      end
    end
  end
end

local function merge(self)
  local list = table.move(self.present, 1, #self.present, 1, {})
  for key in pairs(self.held) do
    list[#list + 1] = self.gone[key].one
  end
  table.sort(list, function(a, b) return a.key < b.key end)
  return list
end

local function sorted(report)
  table.sort(report.held)
  table.sort(report.left, function(a, b)
    return a.why < b.why or a.why == b.why and a.key < b.key
  end)
  return report
end

--- Adds the suspects to the instances that there are.
-- @tparam {instance,...} instances sorted by key, each key once
-- @tparam number now seconds
-- @tparam function objection returns, for an instance, why it may not be a
--   suspect, or nil
-- @treturn {instance,...} sorted by key; without suspects the very table given
-- @treturn report
function guard:take(instances, now, objection)
  local report = {held = {}, left = {}}
  if self.settings.hold == 0 then
    return instances, report
  end
  pass_time(self, now)
  note(self, instances, now, objection, report)
  review(self, now, objection, report)
  report.mass = not self:is_guarding() and count(self) or nil
  if report.mass or self:is_guarding() then
    hold(self, now, objection, report)
  end
  return self:is_guarding() and merge(self) or instances, sorted(report)
end

--- Tells whether there are suspects, which time and checks may end.
-- @treturn boolean
function guard:is_guarding()
  return next(self.held) ~= nil
end

--- Returns the suspects.
-- @treturn {[string]=number} until when each stays at most, by key
function guard:suspects()
  return self.held
end

return guard
