--- The state of one service: what is wanted, and what HAProxy is known to have.
--
-- It decides by the pure modules (select, slots, holds, plan) and keeps their
-- results. It sends nothing: `sync` does, and tells it what was acknowledged.
--
-- @module synapse.service

local commands = require("synapse.commands")
local holds = require("synapse.holds")
local instance = require("synapse.instance")
local news = require("synapse.news")
local plan = require("synapse.plan")
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

local function place(self)
  local before = self.placed
  local keys, by_key = keys_of(self.wanted)
  self.placed, self.waiting =
    slots.assign(self.pool, before, keys, resting_test(self))
  self.by_key = by_key
  for slot, key in pairs(before) do
    if self.placed[slot] ~= key then
      self.vacated[slot] = true
      self.refused[slot] = nil
    end
  end
  for key in pairs(self.held) do
    if not by_key[key] then
      self.held[key] = nil
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
  local self = setmetatable({
    deps = deps,
    name = deps.config.name,
    backend = deps.config.backend,
    pool = deps.pool,
    wanted = record.instances,
    placed = record.placed,
    held = record.held,
    source = "previous",
    by_key = {},
    waiting = {},
    vacated = {},
    refused = {},
    news = news.new(),
    known = false,
    asking = false,
  }, service)
  self.actual, self.acknowledged = empty_slots(deps.pool, deps.initial)
  if #self.wanted == 0 then
    self.wanted, self.source = select.wanted(deps.config, {}, {})
  end
  place(self)
  return self
end

local function is_unchanged(self, wanted)
  if #wanted ~= #self.wanted then
    return false
  end
  for i, one in ipairs(wanted) do
    if not instance.is_same(one, self.wanted[i]) then
      return false
    end
  end
  return true
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
  local same = is_unchanged(self, wanted)
  if source ~= self.source then
    self.source = source
    report_source(self, source)
  end
  if same and #self.waiting == 0 then
    return false
  end
  news.compare(self.news, self.by_key, wanted)
  self.wanted = wanted
  place(self)
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

--- Returns what each filled slot is to be.
-- @treturn {[string]=server}
function service:target()
  local target = {}
  for slot, key in pairs(self.placed) do
    local is_refused, instead = refused_target(self, slot)
    local one = self.by_key[key]
    target[slot] = instead
    if not is_refused then
      target[slot] = {
        host = one.host, port = one.port,
        weight = weight_of(self, one, slot),
        initial = self.deps.initial[slot],
        admin = self.held[key] or "ready",
      }
    end
  end
  return target
end

-- A refusal is over when its slot needs nothing any more.
local function forget_refusals(self, groups)
  local needed = {}
  for _, group in ipairs(groups) do
    needed[group[1].slot] = true
  end
  for slot, refused in pairs(self.refused) do
    if self.deps.now() >= refused.due and not needed[slot] then
      self.refused[slot] = nil
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
  local groups =
    plan.diff(self.backend, self.pool, self:target(), self.actual)
  forget_refusals(self, groups)
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
