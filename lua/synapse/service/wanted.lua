--- Which instances one service wants, and where they are from.
--
-- What is in ZooKeeper goes through the guard, then through the policy of
-- `select`. The result and what led to it are kept here.
--
-- @module synapse.service.wanted

local guard = require("synapse.service.guard")
local news = require("synapse.service.summary")
local instance_list = require("synapse.instances.list")
local select = require("synapse.service.select")

local choice = {}
choice.__index = choice

-- A default server was in no znode: it cannot be missed there, and after a
-- reload only the configuration tells of it.
local function from_znodes(instances)
  local list = {}
  for _, one in ipairs(instances) do
    list[#list + 1] = one.znode and one or nil
  end
  return list
end

--- Returns a choice of what the last run left, else of the default servers.
-- @tparam table deps
--   `config`: the service's configuration; `record`: its part of the snapshot;
--   `objection(instance)`: why one may not be a suspect, or nil; `now()`; `log`
-- @treturn choice with `wanted`: instances, sorted by key
function choice.new(deps)
  local previous = instance_list.new(from_znodes(deps.record.instances)):list()
  local wanted, source = select.wanted(deps.config, previous, {})
  local is_old = deps.record.is_old == true
  local guarded = guard.new(deps.config.guard, is_old and {} or previous,
    deps.record.suspects, deps.now())
  return setmetatable({
    deps = deps,
    guard = guarded,
    instances = guarded.present,
    wanted = wanted,
    source = #previous > 0 and "previous" or source,
    is_old = is_old,
  }, choice)
end

local function report_source(self)
  local log, name = self.deps.log, self.deps.config.name
  if self.source == "previous" then
    log:warning("%s: no instance in ZooKeeper, the %d previous ones stay",
      name, #self.wanted)
  elseif self.source == "default" then
    log:warning("%s: no instance in ZooKeeper, using default_servers", name)
  elseif self.source == "nobody" then
    log:warning("%s: no instance has a sequence, so none can be the leader",
      name)
  end
end

-- One line for all that are suspects no more for the same reason.
local function report_left(self, left)
  local keys = {}
  for i, one in ipairs(left) do
    keys[#keys + 1] = one.key
    if not left[i + 1] or left[i + 1].why ~= one.why then
      self.deps.log:info("%s: %s suspected no more: %s",
        self.deps.config.name, news.names(keys), one.why)
      keys = {}
    end
  end
end

local function report_guard(self, report)
  local log, name = self.deps.log, self.deps.config.name
  local settings, mass = self.deps.config.guard, report.mass
  if #report.held > 0 then
    local event = mass and string.format("%d of %d instances are gone " ..
      "within %g s: ", mass.lost, mass.were, settings.window) or ""
    log:warning("%s: %s%s kept as suspects while HAProxy's checks pass, " ..
      "%g s at most", name, event, news.names(report.held), settings.hold)
  end
  report_left(self, report.left)
  return #report.held + #report.left > 0
end

--- Takes the instances that are in ZooKeeper now.
-- @tparam {instance,...} instances sorted by key, each key once
-- @treturn difference what this changes of the instances wanted
-- @treturn boolean whether other ones are suspects than before
function choice:take(instances)
  local there, report =
    self.guard:take(instances, self.deps.now(), self.deps.objection)
  local wanted, source = select.wanted(self.deps.config, there,
    self.is_old and {} or self.wanted)
  local found = instance_list.difference(self.wanted, wanted)
  self.instances, self.wanted, self.is_old = instances, wanted, false
  local is_guarded = report_guard(self, report)
  if source ~= self.source then
    self.source = source
    report_source(self)
  end
  return found, is_guarded
end

--- Looks again at the suspects: time passes and checks fail.
-- @treturn difference
-- @treturn boolean
function choice:review()
  return self:take(self.instances)
end

--- Returns the suspects.
-- @treturn {[string]=number} until when each stays at most, by key
function choice:suspects()
  return self.guard:suspects()
end

--- Tells whether there are any.
-- @treturn boolean
function choice:has_suspects()
  return self.guard:is_guarding()
end

return choice
