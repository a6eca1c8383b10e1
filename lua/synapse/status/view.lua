--- The view of a service: its state, that of each instance, and why.
--
-- Pure functions decide the states from facts, plain values that a service
-- publishes (see `synapse.service.facts`). `view.begin` and `view.continue`
-- collect the facts, for the main task only: HAProxy interrupts Lua in the
-- middle of a loop, so a request must not walk a table that the main task
-- changes.
--
-- @module synapse.status.view

local operator_order = require("synapse.service.operator_order")
local plural = require("synapse.plural")

local view = {}

--- The states of an instance, the ones that need a look first.
view.STATES = {"failed", "invalid", "waiting", "pending", "retained", "maint",
  "draining", "ready", "unused"}

-- The first that applies is the state.
local RULES = {
  {"unused", function(facts) return facts.unused and facts.reason end},
  {"waiting", function(facts)
    return not facts.slot and "no slot is free: " .. (facts.obstacle or
      "one is being added")
  end},
  {"maint", function(facts)
    return facts.operator_state == "maint" and "maint by an operator" ..
      operator_order.words(facts.order)
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
    return facts.operator_state == "drain" and "drain by an operator" ..
      operator_order.words(facts.order)
  end},
  {"draining", function(facts)
    return facts.weight == 0 and "weight 0"
  end},
}

-- Returns what people should know of an instance that is ready, or nil.
local function remark(facts)
  if facts.objection then
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

-- The text for a number of instances in a state.
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

-- Instances in these states alone do not degrade a service.
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
      reasons[#reasons + 1] = string.format("%s %s%s", path.path,
        PATHS[path.state] or "cannot be read from ZooKeeper",
        path.why and ": " .. path.why or "")
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
  if facts.leaving then
    table.insert(reasons, "not configured any more, its slots are emptied")
  end
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

--- Returns the state of an instance of a service.
-- @tparam service service
-- @tparam string key of the instance
-- @treturn ?string see `view.instance`; nil if the service does not know it
-- @treturn ?string why
function view.state(service, key)
  local facts = service:view_of(key)
  if facts then
    return view.instance(facts)
  end
  return nil
end

-- Nil for an instance without an order.
local function operator_of(facts)
  local order = facts.operator_state and facts.order
  return order and {
    state = facts.operator_state, reason = order.reason, since = order.since,
    till = order.till and math.floor(order.till),
  } or nil
end

local function of_instance(instance, facts, problem)
  local state, why = view.instance(facts)
  return {
    key = instance.key, state = state, why = why, slot = facts.slot,
    name = instance.name, weight = facts.weight or instance.weight,
    znode = instance.znode, problem = problem,
    operator = operator_of(facts), differences = facts.differences,
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

local function paths_of(sources)
  local paths = {}
  for i, source in ipairs(sources) do
    paths[i] = {
      hosts = source.hosts, path = source.path, state = source.state,
      why = source.why,
    }
  end
  return paths
end

-- The states of a path that was read, or that is known not to exist.
local READ = {read = true, missing = true, unmade = true}

local function is_unread(facts, paths)
  for _, path in ipairs(paths) do
    if not READ[path.state] then
      return not facts.has_record
    end
  end
  return false
end

--- What is known of a service now. It is a table of its own: nothing in it
-- changes when the service does.
-- @table view
-- @tfield string name     of the service
-- @tfield string backend
-- @tfield string state    see `view.service`
-- @tfield {string,...} reasons
-- @tfield {{key,state,why,slot,name,weight,znode,data,labels,problem,
--   operator,differences},...} instances the ones that need a look first;
--   refused znodes are among them
-- @tfield integer number  of instances, without refused znodes
-- @tfield {[string]=integer} counts of instances, by state
-- @tfield {{hosts,path,state,why},...} paths
-- @tfield ?string preference "met" or "unmet", where the service has `prefer`
-- @tfield ?{[string]=integer} operated see `service_facts`
-- @tfield string source   where the instances are from, see `wanted.of`
-- @tfield boolean is_unread nothing was read, and no snapshot has it
-- @tfield integer drift   how many slots were not as they had been set
-- @tfield integer slots   how many there are
-- @tfield {string,...} slot_names
-- @tfield integer used

--- Begins the view of a service. Main task.
-- @tparam service service
-- @tparam {path,...} sources that it is read from
-- @treturn building for `view.continue`
function view.begin(service, sources)
  local problems, refused = read_problems(sources)
  local building = {
    service = service, sources = sources, problems = problems, by_state = {},
    all = service:instances(), at = 1, number = 0,
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

-- All instances are sorted, so those of each state are too. An instance that
-- has left the service meanwhile is left out.
local function add_instance(building)
  local known = building.all[building.at]
  local facts = building.service:view_of(known.key)
  building.at = building.at + 1
  if facts then
    local instance = facts.instance or known
    local shown =
      of_instance(instance, facts, building.problems[instance.znode])
    shown.data = data_of(building.sources, instance.znode)
    table.insert(building.by_state[shown.state], shown)
    building.number = building.number + 1
  end
end

local function finish(building)
  local facts, paths = building.service:view(), paths_of(building.sources)
  local list, counts = in_order(building.by_state)
  local state, reasons = view.service({
    counts = counts, instances = building.number, source = facts.source,
    nothing = facts.nothing, paths = paths, obstacle = facts.obstacle,
    frozen = facts.frozen, leaving = facts.leaving, unmet = facts.unmet,
  })
  return {
    name = facts.name, backend = facts.backend, drift = facts.drift,
    source = facts.source, instances = list, counts = counts,
    number = building.number, paths = paths, state = state, reasons = reasons,
    slots = #facts.slot_names, slot_names = facts.slot_names,
    used = facts.used, is_unread = is_unread(facts, building.sources),
    preference = facts.preference, operated = facts.operated,
  }
end

--- Goes on with the view of a service, for as long as there is time. Main task.
-- What changes meanwhile may be in the view or not.
-- @tparam building building
-- @tparam function is_tired whether it has lasted long enough
-- @treturn ?view nil if there is more to do
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
