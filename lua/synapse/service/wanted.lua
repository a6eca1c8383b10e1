--- Which instances one service wants, and where they come from.
--
-- The instances in ZooKeeper pass the guard, then the service's policy. While
-- ZooKeeper has no instance, the previous ones count as if they were
-- registered. The result and the steps to it are kept here.
--
-- @module synapse.service.wanted

local guard = require("synapse.service.guard")
local instance_list = require("synapse.instances.list")
local plural = require("synapse.plural")
local summary = require("synapse.service.summary")
local policy = require("synapse.service.policy")
local subset = require("synapse.service.subset")

local wanted = {}
wanted.__index = wanted

-- Only a registered instance may lead, so a service with a leader has nothing
-- to retain.
local NO_GUARD = {window = 1, share = 1, hold = 0}

local function is_before(a, b)
  if a.sequence ~= b.sequence then
    return a.sequence < b.sequence
  end
  return a.key < b.key
end

--- Elects the leader, the same in every HAProxy.
--
-- The instance with the smallest sequence leads, which has been registered
-- longest. An instance without a sequence cannot be compared, and an instance
-- with weight 0 gets no traffic: neither is ever elected.
-- @tparam {instance,...} instances
-- @treturn {instance,...} the leader alone, or nobody
function wanted.leader(instances)
  local leader
  for _, instance in ipairs(instances) do
    if instance.sequence and instance.weight ~= 0 and
      (not leader or is_before(instance, leader))
    then
      leader = instance
    end
  end
  return {leader}
end

-- If a default server has a znode too, the znode counts.
local function with_defaults(service, instances)
  if not service.keep_default_servers or #service.default_servers == 0 then
    return instances
  end
  return instance_list.merge(instances,
    instance_list.new(service.default_servers):list())
end

local function candidates(service, instances)
  if #instances > 0 then
    return with_defaults(service, instances), "zookeeper"
  elseif #service.default_servers > 0 then
    return instance_list.new(service.default_servers):list(), "default"
  end
  return {}, "zookeeper"
end

--- Lists the wanted instances of a service, each host:port once.
--
-- If there are none, these are the default servers. With `leader_election`, it
-- is only the leader among them.
-- @tparam service service from the configuration
-- @tparam {instance,...} instances that there are, as `instance_list:list` does
-- @treturn {instance,...} sorted by key
-- @treturn string where they are from: "zookeeper" or "default"; or "nobody"
--   where none of them can be the leader
function wanted.of(service, instances)
  local chosen, source = candidates(service, instances)
  if not service.leader_election or #chosen == 0 then
    return chosen, source
  end
  local leader = wanted.leader(chosen)
  return leader, #leader > 0 and source or "nobody"
end

-- A default server has no znode: ZooKeeper cannot lose it, and after a reload
-- only the configuration names it.
local function from_znodes(instances)
  local list = {}
  for _, instance in ipairs(instances) do
    list[#list + 1] = instance.znode and instance or nil
  end
  return list
end

--- Starts with the instances of the last run, or with the default servers.
-- @tparam table deps
--   `config`: the service's configuration; `record`: its part of the snapshot,
--   or with `is_moved` what it had by another configuration, elsewhere;
--   `objection(instance)`: why one may not be retained, or nil;
--   `can_serve(instance)`: whether one can take traffic, as far as is known;
--   `now()`; `log`
-- @treturn wanted with `all`: instances, sorted by key; `serving`: those that
--   the policy leaves; `source`: where they are from, as `wanted.of` tells, or
--   "previous"
function wanted.new(deps)
  local config = deps.config
  local previous = instance_list.new(from_znodes(deps.record.instances)):list()
  local instances, source = wanted.of(config, previous)
  local is_old, is_moved = deps.record.is_old == true, deps.record.is_moved
  local guarded = guard.new(config.leader_election and NO_GUARD or config.guard,
    is_old and {} or previous, deps.record.retained, deps.now())
  local rules = policy.new(config)
  deps.record = nil
  return setmetatable({
    deps = deps,
    guard = guarded,
    policy = rules,
    instances = guarded.present,
    previous = previous,
    left_out = 0,
    all = instances,
    serving = rules:apply(instances, deps.can_serve),
    levels = rules.serving or 1,
    source = #previous > 0 and "previous" or source,
    is_old = is_old,
    is_moved = is_moved,
  }, wanted)
end

--- Says that ZooKeeper has no instance for the service, and why.
-- @treturn string for people
function wanted:nothing()
  return self.left_out > 0 and plural(self.left_out, "instance") ..
    " in ZooKeeper, none passes label_filters" or "no instance in ZooKeeper"
end

local function report_source(self)
  local log, name = self.deps.log, self.deps.config.name
  if self.source == "previous" then
    log:warning("%s: %s, the %s", name, self:nothing(), #self.serving == 1 and
      "previous one stays" or #self.serving .. " previous ones stay")
  elseif self.source == "default" then
    log:warning("%s: %s, using default_servers", name,
      self:nothing())
  elseif self.source == "nobody" then
    log:warning("%s: no instance has a sequence and a weight above 0, so " ..
      "none can be the leader", name)
  end
end

-- Logs one line for all instances that are no longer retained for one reason.
local function report_left(self, left)
  local keys = {}
  for i, departure in ipairs(left) do
    keys[#keys + 1] = departure.key
    if not left[i + 1] or left[i + 1].why ~= departure.why then
      self.deps.log:info("%s: %s no longer retained: %s",
        self.deps.config.name, summary.names(keys), departure.why)
      keys = {}
    end
  end
end

local function report_guard(self, report)
  local log, name = self.deps.log, self.deps.config.name
  local settings, mass = self.deps.config.guard, report.mass
  if #report.retained > 0 then
    local event = mass and string.format("%d of %d instances are gone " ..
      "within %g s, %d left: ", mass.lost, mass.were, settings.window,
      mass.left) or ""
    log:warning("%s: %s%s retained while HAProxy's checks pass, %g s at most",
      name, event, summary.names(report.retained), settings.hold)
  end
  report_left(self, report.left)
end

local function keeps_previous(self)
  local config = self.deps.config
  return #config.default_servers == 0 and config.use_previous_backends
end

-- Returns the instances that count as registered, and whether these are the
-- previous ones. An empty list means that the service is gone or that the
-- ensemble lost it: these look the same. The first instance that registers
-- again then joins the previous ones and does not replace them.
local function registered(self, instances)
  if #instances > 0 or not keeps_previous(self) or self.is_old then
    return instances, false
  end
  return self.previous, #self.previous > 0
end

-- Runs the guard, and returns the instances that there are.
local function guarded(self, instances)
  local list, is_previous = registered(self, instances)
  local there, report =
    self.guard:take(list, self.deps.now(), self.deps.objection)
  if not is_previous then
    self.previous = #instances > 0 and there or {}
    report_guard(self, report)
  end
  return there, is_previous, #report.retained + #report.left > 0
end

-- Logs once that there are too many instances for the size of the subsets.
local function report_size(self)
  local settings = self.policy.subset and self.policy.subset.settings
  local better = settings and subset.better_size(settings, #self.all)
  if better and not self.is_uneven then
    self.deps.log:warning("%s: with %s a `subset.size` of %d loads the %s " ..
      "unevenly; %d would be even", self.deps.config.name,
      plural(settings.machines, "machine"), settings.size,
      plural(#self.all, "instance"), better)
  end
  self.is_uneven = better ~= nil
end

-- Logs which instances serve when the serving levels of `prefer` have changed.
local function report_policy(self)
  report_size(self)
  local serving = self.policy.serving
  if serving and serving ~= self.levels then
    self.levels = serving
    local level = self.policy:is_unmet() and "warning" or "info"
    self.deps.log[level](self.deps.log, "%s: %s", self.deps.config.name,
      self.policy.state)
  end
end

-- After a change of the path, the old instances serve until the new path has
-- one: it may have been made a moment ago.
local function awaits_move(self, instances)
  local awaits = self.is_moved and #instances == 0 and #self.previous > 0 and
    keeps_previous(self)
  if awaits and not self.has_told_move then
    self.has_told_move = true
    report_source(self)
  end
  return awaits
end

--- Takes the instances that are in ZooKeeper now.
-- @tparam {instance,...} instances sorted by key, each key once
-- @tparam ?integer left_out how many label_filters left out where they left
--   none; nil: as many as before
-- @treturn difference what this changes of the instances wanted
-- @treturn boolean whether other ones are retained than before
function wanted:take(instances, left_out)
  self.left_out = left_out or self.left_out
  if awaits_move(self, instances) then
    return instance_list.difference(self.serving, self.serving), false
  end
  self.is_moved = false
  local there, is_previous, is_guarded = guarded(self, instances)
  local all, source = wanted.of(self.deps.config, there)
  source = is_previous and source == "zookeeper" and "previous" or source
  local chosen = self.policy:apply(all, self.deps.can_serve)
  local difference = instance_list.difference(self.serving, chosen)
  self.instances, self.all, self.serving = instances, all, chosen
  self.is_old = false
  if source ~= self.source then
    self.source = source
    report_source(self)
  end
  report_policy(self)
  return difference, is_guarded
end

--- Tells whether instances of an old snapshot serve until ZooKeeper answers.
-- Before that nothing is known of ZooKeeper, so there is nothing to review.
-- @treturn boolean
function wanted:awaits_first_read()
  return self.is_old and #self.previous > 0
end

--- Reviews the retained instances and the policy, because time has passed or
-- checks have changed.
-- @treturn difference
-- @treturn boolean
function wanted:review()
  return self:take(self.instances)
end

--- Returns until when each retained instance stays at most.
-- @treturn {[string]=number} by key
function wanted:retained()
  return self.guard.retained
end

--- Returns when time alone ends a retention.
-- @treturn number
function wanted:review_at()
  return self.guard.review_at or math.huge
end

--- Tells whether any instance is retained.
-- @treturn boolean
function wanted:has_retained()
  return self.guard:is_retaining()
end

return wanted
