--- Protects a service against the removal of many instances at once.
--
-- Data of the ensemble that was wiped, a nerve with a wrong configuration: the
-- znodes go and the instances go on answering. So when many go at once they are
-- *suspects*. A suspect stays in its slot while HAProxy's own check of it
-- passes, and for a time that ends by itself.
--
-- Pure: the clock is an argument.
--
-- @module synapse.guard

local difference = require("synapse.difference")

local guard = {}
guard.__index = guard

-- Fewer than these are no mass, whatever their share.
local LEAST = 3

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

--- Returns a guard that knows which instances there were.
-- @tparam settings settings
-- @tparam {instance,...} instances sorted by key, suspects included
-- @tparam {[string]=number} suspects until when each stays, by key
-- @tparam number now seconds
-- @treturn guard
function guard.new(settings, instances, suspects, now)
  local self = setmetatable({
    settings = settings, present = {}, born = {}, gone = {}, held = {},
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
  return self
end

-- An instance with weight 0 has said itself that it goes.
local function serves(one)
  return one.weight ~= 0
end

local function release(self, key, why, report)
  self.held[key] = nil
  table.insert(report.left, {why = why, key = key})
end

-- One that comes back soon was never away.
local function note(self, instances, now, objection, report)
  local found = difference.between(self.present, instances)
  for _, one in ipairs(found.removed) do
    self.gone[one.key] = serves(one) and {
      one = one, at = now, born = self.born[one.key] or -math.huge,
      barred = objection(one),
    } or nil
    self.born[one.key] = nil
  end
  for _, one in ipairs(found.added) do
    local before = self.gone[one.key]
    self.born[one.key] = before and before.born or now
    self.gone[one.key] = nil
    if self.held[one.key] then
      release(self, one.key, "registered again", report)
    end
  end
  self.present = instances
end

-- What is older than the window does not matter to any count.
local function forget(self, now)
  local ago = now - self.settings.window
  for key, entry in pairs(self.gone) do
    if entry.at <= ago and not self.held[key] then
      self.gone[key] = nil
    end
  end
  for key, born in pairs(self.born) do
    if born <= ago then
      self.born[key] = nil
    end
  end
end

-- Of the instances that were there a window ago: how many are gone, how many
-- there were; nil when they are no mass.
local function count(self, now)
  local ago, lost = now - self.settings.window, 0
  for _, entry in pairs(self.gone) do
    if entry.at > ago and entry.born <= ago then
      lost = lost + 1
    end
  end
  if lost < LEAST then
    return nil
  end
  local were = lost
  for _, one in ipairs(self.present) do
    if serves(one) and (self.born[one.key] or ago) <= ago then
      were = were + 1
    end
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
  for key, entry in pairs(self.gone) do
    local till = entry.at + self.settings.hold
    if not self.held[key] and not entry.barred and now < till then
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
  note(self, instances, now, objection, report)
  review(self, now, objection, report)
  forget(self, now)
  report.mass = not self:is_guarding() and count(self, now) or nil
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
