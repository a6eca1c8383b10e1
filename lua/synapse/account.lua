--- What can be told of the services: their states now, and what has changed.
--
-- Reads what the agent's parts know and changes none of it. An event is the
-- difference between what an instance was when its service last settled and
-- what it is now. What a service looks like is worked out when somebody asks,
-- and anew only when it may have changed: nobody looking costs nothing.
--
-- @module synapse.account

local events = require("synapse.events")
local histogram = require("synapse.histogram")
local kinds = require("synapse.kinds")
local plan = require("synapse.plan")
local status = require("synapse.status")

local account = {}
account.__index = account

local EVENTS = 1000
-- Where more instances do the same at once, one event tells it.
local FEW = 20
local NAMED = 5
local BOUNDS = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
  2.5, 5, 10, 30}

-- What an instance was that was not there.
local ABSENT = "absent"

--- Returns an account of services that has nothing to tell.
-- @tparam table deps
--   `services`; `sources(service)`: lists the registries that it is read from;
--   `now()`; `wall()`: seconds since the epoch
-- @treturn account with `events`; `convergence`, seconds from a watch to the
--   last answer of HAProxy; `boot`, its own name; `cursor`, which grows with
--   every change that a look finds
function account.new(deps)
  local self = setmetatable({
    deps = deps,
    services = deps.services,
    events = events.new(EVENTS, deps.wall),
    convergence = histogram.new(BOUNDS),
    boot = string.format("%x", math.floor(deps.wall() * 1000)),
    cursor = 0,
    shown = {},
    looks = {},
    versions = {},
    by_name = {},
  }, account)
  for _, one in ipairs(deps.services) do
    self.shown[one] = {}
    self.by_name[one.name] = one
  end
  return self
end

local function is_settled(one, slot)
  local wanted, actual = one:target_of(slot), one.actual[slot]
  return wanted ~= nil and wanted.admin == actual.admin and
    #plan.slot(one.backend, slot, wanted, actual) == 0
end

-- What is known of an instance that is wanted.
local function facts_of(one, key)
  local slot = one.placement.slot_of[key]
  local actual = slot and one.actual[slot] or {}
  return {
    slot = slot,
    obstacle = not slot and one:obstacle(key) or nil,
    hold = one.held[key],
    refused = slot and one.refusals:command(slot),
    settled = slot and is_settled(one, slot),
    check = actual.check,
    check_why = actual.check_why,
    suspect = one.choice:suspects()[key],
    drains = actual.weight == 0,
    is_backup = slot and one.placement.kinds[slot] == "backup",
    objection = kinds.objection(one.placement.by_key[key],
      one.placement:has("backup")),
  }
end

local function state_of(one, key)
  if not one.placement.by_key[key] then
    return ABSENT
  end
  return status.instance(facts_of(one, key))
end

--- Takes the services as they are for granted: none of it is an event.
function account:begin()
  for _, one in ipairs(self.services) do
    for key in pairs(one.placement.by_key) do
      self.shown[one][key] = state_of(one, key)
    end
    one:take_touched()
  end
end

-- Lists what instances are other than they were, by what happened to them.
local function changes_of(self, one, touched)
  local shown, groups = self.shown[one], {}
  for key in pairs(touched) do
    local before, now, why = shown[key] or ABSENT, state_of(one, key)
    if now ~= before then
      shown[key] = now ~= ABSENT and now or nil
      local kind = before .. " " .. now
      if not groups[kind] then
        groups[kind] = {from = before, to = now, keys = {}, why = {}}
        table.insert(groups, groups[kind])
      end
      table.insert(groups[kind].keys, key)
      groups[kind].why[key] = why
    end
  end
  table.sort(groups, function(a, b)
    return a.from .. a.to < b.from .. b.to
  end)
  return groups
end

local function add_many(self, one, group, ms)
  self.events:add({
    service = one.name, count = #group.keys, from = group.from, to = group.to,
    why = table.concat(group.keys, ", ", 1, NAMED) .. ", ...", ms = ms,
  })
end

local function add_group(self, one, group, ms)
  table.sort(group.keys)
  if #group.keys > FEW then
    return add_many(self, one, group, ms)
  end
  for _, key in ipairs(group.keys) do
    self.events:add({
      service = one.name, instance = key, from = group.from, to = group.to,
      why = group.why[key], ms = ms,
    })
  end
end

--- Takes note that all is done for a service that can be done now.
-- @tparam service one
function account:settle(one)
  local touched, since = one:take_touched()
  local groups = changes_of(self, one, touched)
  local seconds = since and self.deps.now() - since
  if since then
    self.convergence:add(seconds)
  end
  for _, group in ipairs(groups) do
    add_group(self, one, group, seconds and seconds * 1000)
  end
end

--- Takes note that a znode turned bad, or good again.
-- @tparam service one
-- @tparam string znode
-- @tparam ?string problem
function account:report_znode(one, znode, problem)
  self.events:add({
    service = one.name, instance = znode,
    from = problem and "znode" or "invalid",
    to = problem and "invalid" or "znode", why = problem,
  })
end

--- Takes note of a hold by command, or of its end.
-- @tparam service one
-- @tparam string from
-- @tparam string to
function account:report_hold(one, from, to)
  self.events:add({service = one.name, from = from, to = to,
    why = "by command"})
end

--- Takes note of a session's state.
-- @tparam string hosts
-- @tparam string from
-- @tparam string to
function account:report_session(hosts, from, to)
  self.events:add({
    instance = hosts, from = from, to = to, why = "session with ZooKeeper",
  })
end

local function instance_look(one, key)
  local made, facts = one.placement.by_key[key], facts_of(one, key)
  local state, why = status.instance(facts)
  return {
    key = key, state = state, why = why, slot = facts.slot,
    name = made.name, weight = made.weight, znode = made.znode,
    labels = made.labels and next(made.labels) and made.labels or nil,
  }
end

local function add_refused(list, problems)
  for _, bad in ipairs(problems) do
    if bad.is_refused then
      list[#list + 1] = {
        key = bad.znode, state = "invalid", why = bad.problem,
        znode = bad.znode,
      }
    end
  end
end

local function note_problems(list, problems)
  local by_znode = {}
  for _, bad in ipairs(problems) do
    by_znode[bad.znode] = bad.problem
  end
  for _, it in ipairs(list) do
    it.problem = by_znode[it.znode]
  end
end

local RANK = {}
for i, state in ipairs(status.STATES) do
  RANK[state] = i
end

local function worst_first(a, b)
  if a.state ~= b.state then
    return RANK[a.state] < RANK[b.state]
  end
  return a.key < b.key
end

local function count_states(list)
  local counts = {}
  for _, it in ipairs(list) do
    counts[it.state] = (counts[it.state] or 0) + 1
  end
  return counts
end

local function used_slots(one)
  local used = 0
  for _ in pairs(one.placement.placed) do
    used = used + 1
  end
  return used
end

local function look_at(self, one)
  local list, paths = {}, {}
  for key in pairs(one.placement.by_key) do
    list[#list + 1] = instance_look(one, key)
  end
  local instances = #list
  for i, source in ipairs(self.deps.sources(one)) do
    local problems = source:problems()
    paths[i] = {
      hosts = source.hosts, path = source.path, state = source.state,
    }
    note_problems(list, problems)
    add_refused(list, problems)
  end
  table.sort(list, worst_first)
  local look = {
    service = one, instances = list, counts = count_states(list),
    number = instances, paths = paths, slots = #one.placement.pool,
    used = used_slots(one),
  }
  look.state, look.reasons = status.service({
    counts = look.counts, instances = instances, source = one.choice.source,
    paths = paths, obstacle = one:obstacle(one.placement.waiting[1]),
    held = one.held_at ~= nil,
  })
  return look
end

local function version_of(self, one)
  local version = one.version
  for _, source in ipairs(self.deps.sources(one)) do
    version = version + source.version
  end
  return version
end

--- What a service looks like.
-- @table look
-- @tfield service service
-- @tfield integer cursor  the account's when this was worked out
-- @tfield string state    see `status.service`
-- @tfield {string,...} reasons
-- @tfield {{key,state,why,slot,name,weight,znode,labels,problem},...} instances
--   the ones that need a look first; refused znodes are among them
-- @tfield integer number  of instances, without refused znodes
-- @tfield {[string]=integer} counts of instances, by state
-- @tfield {{hosts,path,state},...} paths
-- @tfield integer slots   how many there are
-- @tfield integer used

--- Returns what a service looks like now.
-- @tparam service one
-- @treturn look a table that is not changed later
function account:look(one)
  local version = version_of(self, one)
  if self.versions[one] ~= version then
    self.versions[one] = version
    self.cursor = self.cursor + 1
    self.looks[one] = look_at(self, one)
    self.looks[one].cursor = self.cursor
  end
  return self.looks[one]
end

return account
