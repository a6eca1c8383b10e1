--- The state of one service: what is wanted, and what HAProxy is known to have.
--
-- It decides by the pure modules (select, slots, holds, plan) and keeps their
-- results. It sends nothing: `sync` does, and tells it what was acknowledged.
--
-- A backend of a thousand servers must not make the change of one slow: what
-- a plan looks at is the slots that are `dirty`, those that may not be as they
-- are to be.
--
-- @module synapse.service

local commands = require("synapse.commands")
local difference = require("synapse.difference")
local holds = require("synapse.holds")
local news = require("synapse.news")
local plan = require("synapse.plan")
local roster = require("synapse.roster")
local select = require("synapse.select")
local slots = require("synapse.slots")

local service = {}
service.__index = service

local FIRST_DELAY = 1
local LONGEST_DELAY = 60

local function keys_of(instances)
  local keys, by_key = {}, {}
  for i, one in ipairs(instances) do
    keys[i] = one.key
    by_key[one.key] = one
  end
  return keys, by_key
end

local function empty_slots(pool, initial)
  local actual, acknowledged = {}, {}
  for _, slot in ipairs(pool) do
    actual[slot] = {
      host = "127.0.0.1", port = 1, weight = initial[slot],
      initial = initial[slot], admin = "maint",
    }
    acknowledged[slot] = "maint"
  end
  return actual, acknowledged
end

-- A slot rests while sessions of the instance that left it go on.
local function resting_test(self)
  return function(slot)
    if self.vacated[slot] and self.deps.sessions(slot) == 0 then
      self.vacated[slot] = nil
    end
    return self.vacated[slot] == true
  end
end

-- Places all instances anew; each keeps its slot where that still exists.
local function place(self)
  local keys, by_key = keys_of(self.wanted)
  self.placed, self.waiting =
    slots.assign(self.pool, self.placed, keys, resting_test(self))
  self.by_key, self.slot_of, self.dirty = by_key, {}, {}
  for slot, key in pairs(self.placed) do
    self.slot_of[key] = slot
  end
  for i, slot in ipairs(self.pool) do
    self.position[slot] = i
    self.dirty[slot] = true
  end
end

local function leave(self, one)
  local slot = self.slot_of[one.key]
  self.by_key[one.key] = nil
  self.held[one.key] = nil
  if slot then
    self.slot_of[one.key] = nil
    self.placed[slot] = nil
    self.vacated[slot] = true
    self.refused[slot] = nil
    self.dirty[slot] = true
  end
end

local function renew(self, one)
  local slot = self.slot_of[one.key]
  self.by_key[one.key] = one
  if slot then
    self.dirty[slot] = true
  end
end

-- Gives slots to those who have none, in sorted order.
local function enter(self, added)
  local keys, is_resting = {}, resting_test(self)
  for _, one in ipairs(added) do
    self.by_key[one.key] = one
    keys[#keys + 1] = one.key
  end
  for _, key in ipairs(self.waiting) do
    keys[#keys + 1] = self.by_key[key] and key
  end
  table.sort(keys)
  self.waiting = {}
  for _, key in ipairs(keys) do
    local slot = slots.choose(self.pool, self.placed, key, is_resting)
    if slot then
      self.placed[slot], self.slot_of[key] = key, slot
      self.dirty[slot] = true
    else
      self.waiting[#self.waiting + 1] = key
    end
  end
end

--- Returns a service that serves what its snapshot has, else its defaults.
-- @tparam table deps
--   `config`: the service's configuration;
--   `pool`: its slots, in order; `initial`: their weights by slot;
--   `record`: its part of the snapshot, or nil;
--   `sessions(slot)`: how many sessions the slot has; `now()`; `log`
-- @treturn service
function service.new(deps)
  local record = deps.record or {instances = {}, placed = {}, held = {}}
  local previous = roster.new(record.instances):list()
  local wanted, source = select.wanted(deps.config, previous, {})
  local self = setmetatable({
    deps = deps,
    name = deps.config.name,
    backend = deps.config.backend,
    pool = deps.pool,
    wanted = wanted,
    source = #previous > 0 and "previous" or source,
    placed = record.placed,
    held = record.held,
    position = {},
    vacated = {},
    refused = {},
    news = news.new(),
    known = false,
    asking = false,
  }, service)
  self.actual, self.acknowledged = empty_slots(deps.pool, deps.initial)
  place(self)
  return self
end

local function report_source(self, source)
  local log = self.deps.log
  if source == "previous" then
    log:warning("%s: no instance in ZooKeeper, the %d previous ones stay",
      self.name, #self.wanted)
  elseif source == "default" then
    log:warning("%s: no instance in ZooKeeper, using default_servers",
      self.name)
  end
end

--- Takes the instances that ZooKeeper has now.
-- @tparam {instance,...} instances
-- @treturn boolean whether anything is to be done
function service:update(instances)
  local wanted, source =
    select.wanted(self.deps.config, instances, self.wanted)
  local found = difference.between(self.wanted, wanted)
  if source ~= self.source then
    self.source = source
    report_source(self, source)
  end
  self.wanted = wanted
  if difference.is_empty(found) and #self.waiting == 0 then
    return false
  end
  news.add(self.news, found)
  for _, one in ipairs(found.removed) do
    leave(self, one)
  end
  for _, renewed in ipairs(found.renewed) do
    renew(self, renewed.now)
  end
  enter(self, found.added)
  return true
end

local function weight_of(self, one, slot)
  if one.weight == 0 then
    return 0
  elseif one.weight and self.deps.config.use_nerve_weights then
    return one.weight
  end
  return self.deps.initial[slot]
end

-- An instance whose address was refused must not be served from the address
-- that the slot had before; any other refusal leaves the slot as it is.
local function refused_target(self, slot)
  local refused = self.refused[slot]
  if not refused or self.deps.now() >= refused.due then
    return false, nil
  end
  return true, refused.field ~= "addr" and self.actual[slot] or nil
end

local function target_of(self, slot)
  local key = self.placed[slot]
  local is_refused, instead = refused_target(self, slot)
  if is_refused or not key then
    return key and instead
  end
  local one = self.by_key[key]
  return {
    host = one.host, port = one.port,
    weight = weight_of(self, one, slot),
    initial = self.deps.initial[slot],
    admin = self.held[key] or "ready",
  }
end

--- Returns what each filled slot is to be.
-- @treturn {[string]=server}
function service:target()
  local target = {}
  for slot in pairs(self.placed) do
    target[slot] = target_of(self, slot)
  end
  return target
end

local function dirty_slots(self)
  local list, target = {}, {}
  for slot in pairs(self.dirty) do
    list[#list + 1] = slot
    target[slot] = target_of(self, slot)
  end
  local position = self.position
  table.sort(list, function(a, b) return position[a] < position[b] end)
  return list, target
end

-- A slot that needs nothing is clean, and a refusal of its is over.
local function clean(self, groups)
  local needed = {}
  for _, group in ipairs(groups) do
    needed[group[1].slot] = true
  end
  for slot in pairs(self.dirty) do
    local refused = self.refused[slot]
    if not needed[slot] and
      not (refused and self.deps.now() < refused.due)
    then
      self.refused[slot] = nil
      self.dirty[slot] = nil
    end
  end
end

--- Lists the groups of commands to send now.
-- @treturn {{command,...},...} empty when all is as wanted
function service:plan()
  local query = {commands.query(self.backend, #self.pool)}
  if not self.known then
    return {query}
  end
  local list, target = dirty_slots(self)
  local groups = plan.diff(self.backend, list, target, self.actual)
  clean(self, groups)
  if self.asking then
    groups[#groups + 1] = query
  end
  return groups
end

--- Makes the next plan ask HAProxy for the state of the servers.
function service:ask()
  self.asking = true
end

--- Notes that a command is on its way: until it is acknowledged, nobody knows.
-- @tparam command command
function service:sent(command)
  if command.field == "admin" then
    self.acknowledged[command.slot] = "unknown"
  end
end

--- Notes that HAProxy did what a command says.
-- @tparam command command
function service:done(command)
  local slot = command.slot
  for field, value in pairs(command.change) do
    self.actual[slot][field] = value
  end
  if command.field == "admin" then
    self.acknowledged[slot] = command.change.admin
  end
  local refused = self.refused[slot]
  if refused and refused.field == command.field then
    self.refused[slot] = nil
  end
  self.news.done = self.news.done + 1
end

--- Notes that HAProxy refused a command. It is tried again, later and later.
-- @tparam command command
-- @tparam string answer
function service:refuse(command, answer)
  local slot = command.slot
  local before = self.refused[slot]
  local delay = before and math.min(before.delay * 2, LONGEST_DELAY) or
    FIRST_DELAY
  self.refused[slot] = {
    field = command.field, delay = delay, due = self.deps.now() + delay,
  }
  self.deps.log:error("%s: %s/%s (%s): `%s` refused: %s; again in %d s",
    self.name, self.backend, slot, self.placed[slot] or "empty",
    command.text, answer, delay)
end

--- Notes that nobody knows what became of commands that were sent.
function service:lost()
  self.known = false
end

--- Tells whether a refused command is due again.
-- @treturn boolean
function service:is_due()
  for _, refused in pairs(self.refused) do
    if self.deps.now() >= refused.due then
      return true
    end
  end
  return false
end

-- A slot that HAProxy does not have any more cannot be filled.
local function drop_missing(self, states)
  local pool = {}
  for _, slot in ipairs(self.pool) do
    if states[slot] then
      pool[#pool + 1] = slot
    else
      self.deps.log:error("%s: %s/%s is gone from HAProxy, not used any more",
        self.name, self.backend, slot)
    end
  end
  if #pool < #self.pool then
    self.pool = pool
    place(self)
  end
end

local function report_drift(self, was_known)
  local groups = self:plan()
  if was_known and #groups > 0 then
    self.deps.log:warning("%s: %d slots are not as they were set (first: %s); "
      .. "setting them again", self.name, #groups, groups[1][1].text)
  end
  return #groups > 0
end

--- Takes what HAProxy says of the backend's servers.
-- @tparam {[string]=server} states
-- @treturn boolean whether commands are needed
-- @treturn boolean whether an operator's hold changed
function service:observe(states)
  local was_known = self.known
  drop_missing(self, states)
  self.known, self.asking = true, false
  for _, slot in ipairs(self.pool) do
    self.actual[slot] = states[slot]
    self.dirty[slot] = true
  end
  local changes
  self.held, changes =
    holds.observe(self.placed, self.held, self.acknowledged, self.actual)
  for _, change in ipairs(changes) do
    self.deps.log:warning("%s: instance %s %s -> %s by an operator", self.name,
      change.key, change.from, change.to)
  end
  return report_drift(self, was_known), #changes > 0
end

--- Notes that a slot was filled before HAProxy began to serve.
-- @tparam string slot
-- @tparam server server
function service:filled(slot, server)
  self.actual[slot] = server
  self.acknowledged[slot] = server.admin
end

--- Returns the line that sums up what was done since the last one, or nil.
-- @treturn ?string
function service:summary()
  local text = news.line(self.news, self)
  self.news = news.new()
  return text
end

--- Returns what the snapshot keeps of the service.
-- @treturn table
function service:record()
  return {
    name = self.name, path = self.deps.config.path,
    instances = self.wanted, placed = self.placed, held = self.held,
  }
end

return service
