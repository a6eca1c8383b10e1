--- Protects a service against an accident that removes its instances.
--
-- If the ensemble's data is wiped, if a network partition cuts off all nerves,
-- or if nerve's configuration is wrong, the znodes go although the instances
-- still answer. A deploy looks similar, but it replaces what it removes. So the
-- guard counts what is left. There is a *mass removal* if at least 3 serving
-- instances were removed within the window, and fewer than 1 - share of the
-- serving instances of a window ago are left, new ones included.
--
-- The instances that a mass removal removes are *retained*: they keep their
-- slots while HAProxy's own check of them passes, until their time is over, or
-- until enough other instances are registered. An instance that leaves when
-- there is no mass removal is an ordinary departure, even while others are
-- retained.
--
-- A window may have thousands of arrivals and departures. So each of them waits
-- in a queue until it is older than the window, and no change walks through all
-- of them.
--
-- Pure: the time is an argument, and never goes back.
--
-- @module synapse.service.guard

local instance_list = require("synapse.instances.list")

local guard = {}
guard.__index = guard

-- Fewer removals than this are never a mass removal.
local LEAST = 3

-- 0.29 * 100 is a little less than 29.
local ROUNDING = 1e-9

-- A queue of things with the time when they came.
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

-- Removes the things that are not later than a time, one after the other.
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
-- @tfield number share  from 0 to 1: the service may lose so much of its
--   serving instances at once; with 1 it may lose all
-- @tfield number hold   seconds that an instance is retained at most; 0: no
--   guard

--- What the guard has done.
-- @table report
-- @tfield ?{lost=integer,were=integer,left=integer} mass the mass removal that
--   began now: how many serving instances went within the window, how many
--   there were a window ago, and how many there are
-- @tfield {string,...} retained keys of those that are retained from now on
-- @tfield {{key=string,why=string},...} left those that are no longer retained,
--   sorted by why and key

--- Tells why an instance may not be retained, from what its slot is.
-- @tparam instance instance
-- @tparam ?server server of the slot that it is in, or was in and is free
-- @treturn ?string nil: it may
function guard.objection(instance, server)
  if not server then
    return "another instance has the slot"
  elseif server.check == "none" then
    return "the slot has no check"
  elseif server.check == "fails" and not server.is_rising and
    (server.fqdn or server.host) == instance.host and server.port ==
    instance.port
  then
    return "HAProxy's check fails"
  end
  return nil
end

-- An instance with weight 0 has announced that it leaves.
local function serves(instance)
  return instance.weight ~= 0
end

-- Counts an instance that is present now, or does not count one that was.
local function count_in(self, instance, by)
  self.serving = self.serving + (serves(instance) and by or 0)
end

-- Notes whether a present instance serves that was not there a window ago.
local function set_young(self, key, is_young)
  local was = self.young[key] == true
  self.young[key] = is_young or nil
  self.newcomers = self.newcomers + (is_young and 1 or 0) - (was and 1 or 0)
end

-- A departure is `lost` while its instance was there a window ago, and `past`
-- once it is older than the window.
local function lose(self, departure)
  departure.lost = true
  self.lost = self.lost + 1
end

local function find(self, departure)
  self.lost = self.lost - (departure.lost and 1 or 0)
  departure.lost = false
end

--- Returns a guard that knows which instances there were.
-- @tparam settings settings
-- @tparam {instance,...} instances sorted by key, retained ones included
-- @tparam {[string]=number} retained until when each is retained, by key
-- @tparam number now seconds
-- @treturn guard with `retained`: until when each retained instance stays at
--   most, by key; `present`: the other instances; `review_at`: when time alone
--   ends a retention, or nil
function guard.new(settings, instances, retained, now)
  local self = setmetatable({
    settings = settings, present = {}, born = {}, gone = {}, retained = {},
    candidates = {}, lost = 0, mass = {returned = {}},
    serving = 0, newcomers = 0, young = {},
    arrivals = new_queue(), departures = new_queue(),
  }, guard)
  for _, instance in ipairs(instances) do
    local till = settings.hold > 0 and retained[instance.key]
    if till then
      till = math.min(till, now + settings.hold)
      self.gone[instance.key] = {instance = instance, past = true,
        born = -math.huge}
      self.retained[instance.key] = till
      self.review_at = math.min(self.review_at or till, till)
    else
      table.insert(self.present, instance)
      count_in(self, instance, 1)
    end
  end
  return self
end

local function release(self, key, why, report)
  self.retained[key] = nil
  if self.gone[key] and self.gone[key].past then
    self.gone[key] = nil
  end
  table.insert(report.left, {why = why, key = key})
end

-- The birth of an instance that is older than the window does not matter.
local function leave(self, instance, now, objection)
  local born = self.born[instance.key]
  self.born[instance.key] = nil
  count_in(self, instance, -1)
  set_young(self, instance.key, false)
  if not serves(instance) then
    self.gone[instance.key] = nil
    return
  end
  local departure = {instance = instance, at = now, born = born or -math.huge}
  if not born then
    lose(self, departure)
  end
  self.gone[instance.key] = departure
  self.candidates[instance.key] = not objection(instance) and departure or nil
  self.departures:push(departure)
end

-- Returns when an instance came first, if that is within the window. An
-- instance that comes back soon was never away.
local function birth_of(self, instance, now)
  local before = self.gone[instance.key]
  self.gone[instance.key], self.candidates[instance.key] = nil, nil
  if not before then
    self.arrivals:push({key = instance.key, at = now})
    return now
  end
  find(self, before)
  return before.born > now - self.settings.window and before.born or nil
end

local function come(self, instance, now)
  local born = birth_of(self, instance, now)
  self.born[instance.key] = born
  count_in(self, instance, 1)
  set_young(self, instance.key, born ~= nil and serves(instance))
end

-- An instance may have got another weight.
local function renew(self, before, instance)
  count_in(self, before, -1)
  count_in(self, instance, 1)
  set_young(self, instance.key,
    self.born[instance.key] ~= nil and serves(instance))
end

-- Returns whether any instance is gone.
local function note(self, instances, now, objection, report)
  local difference = instance_list.difference(self.present, instances)
  for _, instance in ipairs(difference.removed) do
    leave(self, instance, now, objection)
  end
  for _, instance in ipairs(difference.added) do
    come(self, instance, now)
    if self.retained[instance.key] then
      release(self, instance.key, "registered again", report)
      self.mass.returned[instance.key] = true
    end
  end
  for _, renewed in ipairs(difference.renewed) do
    renew(self, renewed.before, renewed.now)
  end
  self.present = instances
  return #difference.removed > 0
end

local function grow_old(self, arrival)
  local departure = self.gone[arrival.key]
  if self.born[arrival.key] == arrival.at then
    self.born[arrival.key] = nil
    set_young(self, arrival.key, false)
  elseif departure and departure.born == arrival.at then
    lose(self, departure)
  end
end

local function forget(self, departure)
  find(self, departure)
  departure.past = true
  local key = departure.instance.key
  if self.gone[key] == departure and not self.retained[key] then
    self.gone[key], self.candidates[key] = nil, nil
  end
end

-- What is older than the window does not matter to any count.
local function pass_time(self, now)
  local ago = now - self.settings.window
  for arrival in self.arrivals:until_time(ago) do
    grow_old(self, arrival)
  end
  for departure in self.departures:until_time(ago) do
    forget(self, departure)
  end
end

-- Tells whether `left` instances are too few for a service that had `were`.
local function is_too_little(self, left, were)
  return were - left > self.settings.share * were + ROUNDING
end

-- Returns the mass removal that there is now, or nil.
local function count(self)
  local lost = self.lost
  if lost < LEAST then
    return nil
  end
  local left = self.serving
  local were = lost + left - self.newcomers
  return is_too_little(self, left, were) and
    {lost = lost, were = were, left = left} or nil
end

-- Tells whether the service can do without the retained instances. An instance
-- that was retained and registers again does not count: the others get the same
-- time to do so. After a reload the number of before is unknown.
local function is_made_good(self)
  local were, left = self.mass.were, 0
  if not were then
    return false
  end
  for _, instance in ipairs(self.present) do
    left = left + (serves(instance) and not self.mass.returned[instance.key] and
      1 or 0)
  end
  return not is_too_little(self, left, were)
end

local function review(self, now, objection, report)
  local is_enough = is_made_good(self)
  for key, till in pairs(self.retained) do
    local why = now >= till and "the time is over" or
      is_enough and "enough other instances are registered" or
      objection(self.gone[key].instance)
    if why then
      release(self, key, why, report)
    end
  end
end

-- Retains the instances that left within the window, each until its own time is
-- over.
local function retain(self, now, objection, report)
  for key, departure in pairs(self.candidates) do
    local till = departure.at + self.settings.hold
    self.candidates[key] = nil
    if now < till and not objection(departure.instance) then
      self.retained[key] = till
      table.insert(report.retained, key)
    end
  end
end

local function protect(self, mass, now, objection, report)
  if not self:is_retaining() then
    self.mass = {were = mass.were, returned = {}}
    report.mass = mass
  end
  self.mass.were = math.max(self.mass.were or 0, mass.were)
  retain(self, now, objection, report)
end

-- Returns the present and the retained instances, sorted by key.
local function merge(self)
  local list = table.move(self.present, 1, #self.present, 1, {})
  self.review_at = math.huge
  for key, till in pairs(self.retained) do
    list[#list + 1] = self.gone[key].instance
    self.review_at = math.min(self.review_at, till)
  end
  table.sort(list, function(a, b) return a.key < b.key end)
  return list
end

local function sorted(report)
  table.sort(report.retained)
  table.sort(report.left, function(a, b)
    return a.why < b.why or a.why == b.why and a.key < b.key
  end)
  return report
end

--- Adds the retained instances to the instances that there are.
-- @tparam {instance,...} instances sorted by key, each key once
-- @tparam number now seconds
-- @tparam function objection returns, for an instance, why it may not be
--   retained, or nil
-- @treturn {instance,...} sorted by key; where none is retained the very table
--   given
-- @treturn report
function guard:take(instances, now, objection)
  local report = {retained = {}, left = {}}
  if self.settings.hold == 0 then
    self.present = instances
    return instances, report
  end
  pass_time(self, now)
  local is_less = note(self, instances, now, objection, report)
  if self:is_retaining() then
    review(self, now, objection, report)
  end
  local mass = is_less and count(self)
  if mass then
    protect(self, mass, now, objection, report)
  end
  self.review_at = nil
  return self:is_retaining() and merge(self) or instances, sorted(report)
end

--- Tells whether instances are retained, which time and checks may end.
-- @treturn boolean
function guard:is_retaining()
  return next(self.retained) ~= nil
end

return guard
