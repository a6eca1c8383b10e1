--- Decides which of a service's instances this HAProxy uses, and how.
--
-- `prefer` splits the instances into levels, `subset` takes this machine's
-- share of each level, and then `prefer` decides which levels serve and which
-- are backups. The reason for every instance that does not serve is kept.
--
-- Pure: a function that is passed in knows the results of HAProxy's checks.
--
-- @module synapse.service.policy

local copy = require("synapse.copy")
local prefer = require("synapse.service.prefer")
local subset = require("synapse.service.subset")

local policy = {}
policy.__index = policy

--- Returns the policy of a service.
-- @tparam service config with `prefer`, a `{preference,...}`, and maybe
--   `subset`. A leader is the only instance, so there is nothing to choose
-- @treturn policy with `reasons`: why each instance that does not serve does
--   not, by key; `unused`: the instances without a place in HAProxy, sorted by
--   key. With `prefer` it has `serving`: how many levels serve, 0 if only
--   backups can; and `state`: the same for people
function policy.new(config)
  local has_leader = config.leader_election
  return setmetatable({
    preferences = not has_leader and config.prefer or {},
    subset = not has_leader and config.subset and subset.new(config.subset) or
    nil, backups = {}, copies = setmetatable({}, {__mode = "k"}),
    reasons = {}, unused = {},
  }, policy)
end

--- Tells whether there is anything to choose.
-- @treturn boolean
function policy:is_needed()
  return self.subset ~= nil or #self.preferences > 0
end

-- Returns the same table each time, because another one would look like a
-- change.
local function as_backup(self, instance)
  if instance.is_backup then
    return instance
  elseif not self.copies[instance] then
    local backup = copy(instance)
    backup.is_backup = true
    self.copies[instance] = backup
  end
  return self.copies[instance]
end

-- An instance that cannot take traffic keeps its kind of slot. In another slot
-- it would count as up until HAProxy's first check.
local function is_backup(self, instance, level, serving, can_serve)
  local before = self.backups[instance.key]
  if before ~= nil and not can_serve(instance) then
    return before
  end
  return level > serving
end

-- Returns the level of each instance that this machine uses, by key.
local function choose(self, levels, can_serve)
  local level_of = {}
  for i, level in ipairs(levels) do
    levels[i] = self.subset and self.subset:choose(level, can_serve) or level
    for _, instance in ipairs(levels[i]) do
      level_of[instance.key] = i
    end
  end
  return level_of
end

local function leave_out(self, instance)
  table.insert(self.unused, instance)
  self.reasons[instance.key] = string.format(
    "not in this machine's subset of %d", self.subset.settings.size)
end

--- Tells whether the most preferred instances do not serve alone.
-- @treturn boolean
function policy:is_unmet()
  return self.serving ~= nil and self.serving ~= 1
end

--- Chooses instances.
-- @tparam {instance,...} instances sorted by key, each key once
-- @tparam function can_serve tells whether an instance can take traffic, as far
--   as is known
-- @treturn {instance,...} sorted by key; a backup is a copy that says so
function policy:apply(instances, can_serve)
  if not self:is_needed() then
    return instances
  end
  local levels = prefer.levels(self.preferences, instances)
  local level_of = choose(self, levels, can_serve)
  local serving, able = prefer.serving(self.preferences, levels, can_serve)
  local used, backups = {}, {}
  self.reasons, self.unused = {}, {}
  for _, instance in ipairs(instances) do
    local key, level = instance.key, level_of[instance.key]
    if not level then
      leave_out(self, instance)
    else
      backups[key] = is_backup(self, instance, level, serving, can_serve)
      used[#used + 1] = backups[key] and as_backup(self, instance) or instance
      self.reasons[key] = level > serving and
        prefer.why(self.preferences, level, serving, able) or nil
    end
  end
  self.backups = backups
  if #instances == 0 then
    self.serving, self.state = nil, nil
  elseif self.preferences[1] then
    self.serving = able > 0 and serving or 0
    self.state = prefer.state(self.preferences, serving, able)
  end
  return used
end

return policy
