--- What a service looks like: its state, that of each instance, and why.
--
-- Reads what the agent's parts know and changes none of it.
--
-- @module synapse.status.view

local kinds = require("synapse.service.kinds")
local plan = require("synapse.haproxy.plan")
local status = require("synapse.status.status")

local look = {}

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
    weight = actual.weight,
    is_backup = slot and one.placement.kinds[slot] == "backup",
    objection = kinds.objection(one.placement.by_key[key],
      one.placement:has("backup")),
  }
end

--- Returns the state of an instance that is wanted.
-- @tparam service one
-- @tparam string key of the instance
-- @treturn string see `status.instance`
-- @treturn ?string why
function look.state(one, key)
  return status.instance(facts_of(one, key))
end

local function of_instance(one, made, problem)
  local facts = facts_of(one, made.key)
  local state, why = status.instance(facts)
  return {
    key = made.key, state = state, why = why, slot = facts.slot,
    name = made.name, weight = facts.weight or made.weight, znode = made.znode,
    labels = made.labels and next(made.labels) and made.labels or nil,
    problem = problem,
  }
end

local function of_refused(bad)
  return {
    key = bad.znode, state = "invalid", why = bad.problem, znode = bad.znode,
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

-- Those wanted are sorted, so those of each state are. One that is gone since
-- it was its turn is left out.
local function instances_by_state(one, problems, turn)
  local by_state, by_key, number = {}, one.placement.by_key, 0
  for _, state in ipairs(status.STATES) do
    by_state[state] = {}
  end
  for _, wanted in ipairs(one.choice.wanted) do
    turn()
    local made = by_key[wanted.key]
    if made then
      local it = of_instance(one, made, problems[made.znode])
      table.insert(by_state[it.state], it)
      number = number + 1
    end
  end
  return by_state, number
end

-- Lists all, those that need a look first, and counts them.
local function in_order(by_state)
  local list, counts = {}, {}
  for _, state in ipairs(status.STATES) do
    local some = by_state[state]
    table.move(some, 1, #some, #list + 1, list)
    counts[state] = #some > 0 and #some or nil
  end
  return list, counts
end

local function used_slots(one)
  local used = 0
  for _ in pairs(one.placement.placed) do
    used = used + 1
  end
  return used
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

--- What a service looks like.
-- @table look
-- @tfield service service
-- @tfield string state    see `status.service`
-- @tfield {string,...} reasons
-- @tfield {{key,state,why,slot,name,weight,znode,labels,problem},...} instances
--   the ones that need a look first; refused znodes are among them
-- @tfield integer number  of instances, without refused znodes
-- @tfield {[string]=integer} counts of instances, by state
-- @tfield {{hosts,path,state},...} paths
-- @tfield integer slots   how many there are
-- @tfield integer used

--- Returns what a service looks like.
-- @tparam service one
-- @tparam {registry,...} sources that it is read from
-- @tparam function turn gives other work its turn when it is time. What
--   changes meanwhile may be in the look or not
-- @treturn look a table that is not changed later
function look.at(one, sources, turn)
  local problems, refused = read_problems(sources)
  local by_state, number = instances_by_state(one, problems, turn)
  by_state.invalid = refused
  local list, counts = in_order(by_state)
  local made = {
    service = one, instances = list, counts = counts, number = number,
    paths = paths_of(sources), slots = #one.placement.pool,
    used = used_slots(one),
  }
  made.state, made.reasons = status.service({
    counts = counts, instances = number, source = one.choice.source,
    paths = made.paths, obstacle = one:obstacle(one.placement.waiting[1]),
    held = one.held_at ~= nil,
  })
  return made
end

return look
