--- What a service looks like: its state, that of each instance, and why.
--
-- Two halves. What an instance and a service are is decided by pure functions
-- of facts, plain values. The other half collects these facts from the parts
-- of a service, and changes none of it. That is the main task's alone: HAProxy
-- interrupts Lua in the middle of a loop, and whoever answers a request then
-- would walk a table that the main task changes.
--
-- @module synapse.status.view

local placement = require("synapse.service.placement")
local plan = require("synapse.haproxy.plan")
local plural = require("synapse.plural")

local view = {}

--- The states of an instance, the ones that need a look first.
view.STATES = {"failed", "invalid", "waiting", "pending", "retained", "maint",
  "draining", "ready", "unused"}

--- What is known of an instance.
-- @table instance_facts
-- @tfield ?string slot       nil: it has none
-- @tfield ?string obstacle   why no slot is added
-- @tfield ?string hold       "maint" or "drain" by an operator
-- @tfield ?string refused    the command that HAProxy refused
-- @tfield ?string refusal    what it said
-- @tfield boolean settled    HAProxy has acknowledged all that is wanted
-- @tfield ?string check      "fails" where HAProxy's check does
-- @tfield ?string check_why  what the check met
-- @tfield ?number retained    it is gone, and kept until then by the guard
-- @tfield ?integer weight    what HAProxy has; 0 drains
-- @tfield ?string problem    what is wrong with its znode, as it is now
-- @tfield ?string objection  why it is no backup, though it asks to be one
-- @tfield boolean is_backup  its slot is one
-- @tfield ?string reason     why it does not serve, though it could
-- @tfield boolean unused     the policy leaves it out

-- The first that applies is the state.
local RULES = {
  {"unused", function(facts) return facts.unused and facts.reason end},
  {"waiting", function(facts)
    return not facts.slot and "no slot is free: " .. (facts.obstacle or
      "one is being added")
  end},
  {"maint", function(facts)
    return facts.hold == "maint" and "maint by an operator"
  end},
  {"pending", function(facts)
    return facts.refused and "HAProxy refused `" .. facts.refused .. "`: " ..
      facts.refusal .. "; it is tried again"
  end},
  {"pending", function(facts)
    return not facts.settled and "HAProxy has not acknowledged it yet"
  end},
  {"failed", function(facts)
    return facts.check == "fails" and "HAProxy's check fails" ..
      (facts.check_why and ": " .. facts.check_why or "")
  end},
  {"retained", function(facts)
    return facts.retained and
      "gone from ZooKeeper with many others; kept while " ..
      "HAProxy's check passes"
  end},
  {"draining", function(facts)
    return facts.hold == "drain" and "drain by an operator"
  end},
  {"draining", function(facts)
    return facts.weight == 0 and "weight 0"
  end},
}

-- What is to be known of one that is ready, or nil.
local function remark(facts)
  if facts.problem then
    return "its znode is bad now, kept as it was: " .. facts.problem
  elseif facts.objection then
    return "`backup` is not applied: " .. facts.objection
  end
  return facts.is_backup and (facts.reason and "a backup: " .. facts.reason or
    "a backup: used where no other can be") or nil
end

--- Returns the state of an instance.
-- @tparam instance_facts facts
-- @treturn string one of `view.STATES`
-- @treturn ?string why, in words
function view.instance(facts)
  for _, rule in ipairs(RULES) do
    local why = rule[2](facts)
    if why then
      return rule[1], why
    end
  end
  return "ready", remark(facts)
end

--- What is known of a service.
-- @table service_facts
-- @tfield {[string]=integer} counts instances by state
-- @tfield integer instances how many there are, invalid znodes left out
-- @tfield string source     where they are from: "zookeeper", "default",
--   "previous", or "nobody" (see `wanted.of`)
-- @tfield string nothing    what ZooKeeper has where they are from elsewhere
-- @tfield {{path,state},...} paths of ZooKeeper, and how each was last read
-- @tfield ?string obstacle  why no slot is added
-- @tfield boolean frozen    it is left as it is, by command
-- @tfield ?string unmet     why others serve than those that `prefer` names

-- What is said of so many instances in a state.
local SENTENCES = {
  failed = function(n)
    return plural(n, "instance") .. (n == 1 and " fails" or " fail") ..
      " HAProxy's check"
  end,
  invalid = function(n)
    return plural(n, "znode") .. (n == 1 and " is" or " are") .. " refused"
  end,
  waiting = function(n, facts)
    return plural(n, "instance") .. (n == 1 and " waits" or " wait") ..
      " for a slot: " .. (facts.obstacle or "one is being added")
  end,
  pending = function(n)
    return plural(n, "instance") .. (n == 1 and " is" or " are") ..
      " not yet as wanted in HAProxy"
  end,
  retained = function(n)
    return plural(n, "instance") .. (n == 1 and " is" or " are") ..
      " gone from ZooKeeper at once, kept by the guard"
  end,
}

-- These alone make nothing worse.
local NOTES = {
  maint = function(n)
    return plural(n, "instance") .. " in maint by an operator"
  end,
  draining = function(n)
    return plural(n, "instance") .. " draining"
  end,
}

local PATHS = {
  new = "is not read from ZooKeeper yet",
  missing = "is no znode in ZooKeeper; what was known is kept",
  unmade = "is no znode in ZooKeeper, and cannot be made",
}

local SOURCES = {
  default = "%s, its default_servers are used",
  previous = "%s, the previous ones stay",
  nobody = "no instance has a sequence and a weight above 0, so none can be " ..
    "the leader",
}

local function add_sources(facts, reasons)
  for _, path in ipairs(facts.paths) do
    if path.state ~= "read" then
      reasons[#reasons + 1] = path.path .. " " .. (PATHS[path.state] or
        "cannot be read from ZooKeeper (" .. path.state .. ")")
    end
  end
  if #reasons == 0 and SOURCES[facts.source] then
    reasons[1] = SOURCES[facts.source]:format(facts.nothing)
  end
end

local function add_counts(facts, sentences, reasons)
  for _, state in ipairs(view.STATES) do
    local count = facts.counts[state] or 0
    if count > 0 and sentences[state] then
      reasons[#reasons + 1] = sentences[state](count, facts)
    end
  end
end

local function is_down(facts)
  return (facts.counts.ready or 0) + (facts.counts.retained or 0) == 0
end

local function why_down(facts)
  if facts.instances == 0 then
    return "no instance"
  end
  return string.format("none of %s can take new requests",
    plural(facts.instances, "instance"))
end

--- Returns the state of a service.
-- @tparam service_facts facts
-- @treturn string "down": it can take no new request; "degraded": it can, and
--   something is not as it should be; "whole"
-- @treturn {string,...} why, the worst first; a whole one may have some too
function view.service(facts)
  local reasons = {}
  add_sources(facts, reasons)
  add_counts(facts, SENTENCES, reasons)
  if facts.frozen then
    table.insert(reasons, "frozen by command")
  end
  reasons[#reasons + 1] = facts.unmet
  local state = #reasons > 0 and "degraded" or "whole"
  if is_down(facts) then
    state = "down"
    table.insert(reasons, 1, why_down(facts))
  end
  add_counts(facts, NOTES, reasons)
  return state, reasons
end

local function is_settled(service, slot)
  local wanted, actual = service:target_of(slot), service.actual[slot]
  return wanted ~= nil and wanted.admin == actual.admin and
    #plan.slot(service.backend, slot, wanted, actual) == 0
end

-- What is known of an instance that is wanted.
local function facts_of(service, key)
  local slot = service.placement.slot_of[key]
  local actual = slot and service.actual[slot] or {}
  local refused, refusal
  if slot then
    refused, refusal = service.refusals:command(slot)
  end
  return {
    slot = slot,
    obstacle = not slot and service:obstacle(key) or nil,
    hold = service.operator.states[key],
    refused = refused, refusal = refusal,
    settled = slot and is_settled(service, slot),
    check = actual.check,
    check_why = actual.check_why,
    retained = service.choice:retained()[key],
    weight = actual.weight,
    is_backup = slot and service.placement.kinds[slot] == "backup",
    reason = service.choice.policy.reasons[key],
    unused = service.placement.by_key[key] == nil,
    objection = service.placement.by_key[key] and placement.backup_objection(
      service.placement.by_key[key], service.placement:has("backup")),
  }
end

--- Returns the state of an instance that is wanted.
-- @tparam service service
-- @tparam string key of the instance
-- @treturn string see `view.instance`
-- @treturn ?string why
function view.state(service, key)
  return view.instance(facts_of(service, key))
end

local function of_instance(service, instance, problem)
  local facts = facts_of(service, instance.key)
  local state, why = view.instance(facts)
  return {
    key = instance.key, state = state, why = why, slot = facts.slot,
    name = instance.name, weight = facts.weight or instance.weight,
    znode = instance.znode, problem = problem,
    labels = instance.labels and next(instance.labels) and instance.labels
      or nil,
  }
end

local function of_refused(bad)
  return {
    key = bad.znode, state = "invalid", why = bad.problem, znode = bad.znode,
    data = bad.data,
  }
end

-- What is wrong with znodes, by their names; and those that are no instance.
local function read_problems(sources)
  local problems, refused = {}, {}
  for _, source in ipairs(sources) do
    for _, bad in ipairs(source:problems()) do
      problems[bad.znode] = bad.problem
      refused[#refused + 1] = bad.is_refused and of_refused(bad) or nil
    end
  end
  return problems, refused
end

-- Lists all, those that need a look first, and counts them.
local function in_order(by_state)
  local list, counts = {}, {}
  for _, state in ipairs(view.STATES) do
    local some = by_state[state]
    table.move(some, 1, #some, #list + 1, list)
    counts[state] = #some > 0 and #some or nil
  end
  return list, counts
end

local function used_slots(service)
  local used = 0
  for _ in pairs(service.placement.placed) do
    used = used + 1
  end
  return used
end

local function preference_of(policy)
  if policy.serving then
    return policy:is_unmet() and "unmet" or "met"
  end
  return nil
end

local function paths_of(sources)
  local paths = {}
  for i, source in ipairs(sources) do
    paths[i] = {
      hosts = source.hosts, path = source.path, state = source.state,
    }
  end
  return paths
end

-- Neither read nor known not to be there, and without a snapshot.
local READ = {read = true, missing = true, unmade = true}

local function is_unread(service, paths)
  for _, path in ipairs(paths) do
    if not READ[path.state] then
      return not service.has_record
    end
  end
  return false
end

--- What a service looks like. It is a table of its own: nothing in it changes
-- when the service does.
-- @table look
-- @tfield string name     of the service
-- @tfield string backend
-- @tfield string state    see `view.service`
-- @tfield {string,...} reasons
-- @tfield {{key,state,why,slot,name,weight,znode,data,labels,problem},...}
--   instances the ones that need a look first; refused znodes are among them
-- @tfield integer number  of instances, without refused znodes
-- @tfield {[string]=integer} counts of instances, by state
-- @tfield {{hosts,path,state},...} paths
-- @tfield ?string preference "met" or "unmet", where the service has `prefer`
-- @tfield string source   where the instances are from, see `wanted.of`
-- @tfield boolean is_unread nothing was read, and no snapshot has it
-- @tfield integer drift   how many slots were not as they had been set
-- @tfield integer slots   how many there are
-- @tfield {string,...} slot_names
-- @tfield integer used

--- Begins to look at a service. Main task.
-- @tparam service service
-- @tparam {path,...} sources that it is read from
-- @treturn building for `view.continue`
function view.begin(service, sources)
  local problems, refused = read_problems(sources)
  local building = {
    service = service, sources = sources, problems = problems, by_state = {},
    all = service.choice.all, at = 1, number = 0,
  }
  for _, state in ipairs(view.STATES) do
    building.by_state[state] = {}
  end
  building.by_state.invalid = refused
  return building
end

-- The data of a znode as it was last read.
local function data_of(sources, znode)
  for _, source in ipairs(znode and sources or {}) do
    local data = source:data(znode)
    if data then
      return data
    end
  end
  return nil
end

-- All are sorted, so those of each state are. One that is gone since it was its
-- turn is left out.
local function add_instance(building)
  local service = building.service
  local known, reasons = building.all[building.at],
    service.choice.policy.reasons
  local instance = service.placement.by_key[known.key] or reasons[known.key] and
    known
  building.at = building.at + 1
  if instance then
    local shown = of_instance(service, instance,
      building.problems[instance.znode])
    shown.data = data_of(building.sources, instance.znode)
    table.insert(building.by_state[shown.state], shown)
    building.number = building.number + 1
  end
end

local function finish(building)
  local service, pool = building.service, building.service.placement.pool
  local list, counts = in_order(building.by_state)
  local look = {
    name = service.name, backend = service.backend, drift = service.drift,
    source = service.choice.source, instances = list, counts = counts,
    number = building.number, paths = paths_of(building.sources),
    slots = #pool, slot_names = table.move(pool, 1, #pool, 1, {}),
    used = used_slots(service),
    is_unread = is_unread(service, building.sources),
    preference = preference_of(service.choice.policy),
  }
  look.state, look.reasons = view.service({
    counts = counts, instances = look.number, source = look.source,
    nothing = service.choice:nothing(), paths = look.paths,
    obstacle = service:obstacle(service.placement.waiting[1]),
    frozen = service.frozen_at ~= nil,
    unmet = look.preference == "unmet" and service.choice.policy.state or nil,
  })
  return look
end

--- Goes on looking at a service, for as long as there is time. Main task. What
-- changes meanwhile may be in the look or not.
-- @tparam building building
-- @tparam function is_tired whether it has lasted long enough
-- @treturn ?look nil if there is more to look at
function view.continue(building, is_tired)
  while building.all[building.at] do
    add_instance(building)
    if is_tired() then
      return nil
    end
  end
  return finish(building)
end

return view
