--- What a service publishes of itself and of its instances: plain tables.
--
-- Reads the parts of a service and changes none of them. The status page, the
-- metrics and the commands know a service by its facts alone, and the snapshot
-- keeps its record.
--
-- @module synapse.service.facts

local difference = require("synapse.service.difference")
local placement = require("synapse.service.placement")
local plan = require("synapse.haproxy.plan")

local facts = {}

--- What is known of an instance.
-- @table instance_facts
-- @tfield ?instance instance nil: the policy leaves it out
-- @tfield ?string slot       nil: it has none
-- @tfield ?string obstacle   why no slot is added
-- @tfield ?string operator_state "maint" or "drain" by an operator
-- @tfield ?order order       its reason and end, if it has one
-- @tfield ?string refused    the command that HAProxy refused
-- @tfield ?string refusal    what it said
-- @tfield boolean settled    HAProxy has acknowledged all that is wanted
-- @tfield ?string check      "fails" if HAProxy's check does
-- @tfield ?string check_why  why the check fails
-- @tfield ?number retained   until when the guard keeps it, though it is gone
-- @tfield ?integer weight    what HAProxy has; 0 drains
-- @tfield ?string objection  why it is no backup, though it asks to be one
-- @tfield boolean is_backup  its slot is one
-- @tfield ?string reason     why it does not serve, though it could
-- @tfield boolean unused     the policy leaves it out
-- @tfield ?{difference,...} differences between ZooKeeper, what is wanted and
--   what HAProxy has in its slot, see `synapse.service.difference`

local function is_settled(service, slot, wanted)
  local actual = service.actual.servers[slot]
  return wanted ~= nil and wanted.admin == actual.admin and
    #plan.slot(service.backend, slot, wanted, actual) == 0
end

--- Returns what is known of an instance.
-- @tparam service service
-- @tparam string key of the instance
-- @treturn ?instance_facts nil if the service does not know it
function facts.of_instance(service, key)
  local instance = service.placement.by_key[key]
  local reason = service.wanted.policy.reasons[key]
  if not instance and not reason then
    return nil
  end
  local slot = service.placement.slot_of[key]
  local actual = slot and service.actual.servers[slot] or {}
  local retained = service.wanted:retained()[key]
  local refused, refusal, wanted, differences
  if slot then
    refused, refusal = service.refusals:command(slot)
    wanted = service:target_of(slot)
    differences = difference.of(instance, wanted, actual, retained ~= nil)
  end
  return {
    instance = instance,
    slot = slot,
    obstacle = not slot and service:obstacle(key) or nil,
    operator_state = service.operator.states[key],
    order = service.operator.orders[key],
    refused = refused, refusal = refusal,
    settled = slot and is_settled(service, slot, wanted),
    check = actual.check,
    check_why = actual.check_why,
    retained = retained,
    weight = actual.weight,
    is_backup = slot and service.placement.kinds[slot] == "backup",
    reason = reason,
    unused = instance == nil,
    differences = differences,
    objection = instance and placement.backup_objection(instance,
      service.placement:has("backup")),
  }
end

--- What is known of a service.
-- @table service_facts
-- @tfield string name
-- @tfield string backend
-- @tfield string source     where the instances are from: "zookeeper",
--   "default", "previous", or "nobody" (see `wanted.of`)
-- @tfield string nothing    why ZooKeeper has no instance, if it has none
-- @tfield ?string obstacle  why no slot is added for the first that waits
-- @tfield boolean frozen    it is left as it is, by command
-- @tfield boolean leaving   it is not configured any more
-- @tfield ?string preference "met" or "unmet" if the service has `prefer`
-- @tfield ?string unmet     why others serve than those that `prefer` names
-- @tfield integer drift     how many slots were not as they had been set
-- @tfield {string,...} slot_names
-- @tfield integer used      how many of the slots are
-- @tfield boolean has_record whether the snapshot had it
-- @tfield ?{[string]=integer} operated how many instances are in "maint" or
--   "drain" until an operator ends it, and in "maint_until" or "drain_until",
--   which end by themselves; nil: no instance is

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

local function count_operated(operator)
  if not next(operator.states) then
    return nil
  end
  local counts = {maint = 0, maint_until = 0, drain = 0, drain_until = 0}
  for key, state in pairs(operator.states) do
    local order = operator.orders[key]
    local kind = order and order.till and state .. "_until" or state
    counts[kind] = counts[kind] + 1
  end
  return counts
end

--- Returns what is known of a service.
-- @tparam service service
-- @treturn service_facts
function facts.of_service(service)
  local pool, policy = service.placement.pool, service.wanted.policy
  local preference = preference_of(policy)
  return {
    name = service.name, backend = service.backend, drift = service.drift,
    source = service.wanted.source, nothing = service.wanted:nothing(),
    obstacle = service:obstacle(service.placement.waiting[1]),
    frozen = service.frozen_at ~= nil, leaving = service.is_leaving,
    preference = preference,
    unmet = preference == "unmet" and policy.state or nil,
    slot_names = table.move(pool, 1, #pool, 1, {}),
    used = used_slots(service), has_record = service.has_record,
    operated = count_operated(service.operator),
  }
end

-- Returns which instances fail their check, and since when each has been in
-- traffic if that is recent, because `slowstart` begins then. A slot that is
-- not in traffic yet is about to be.
local function found_by_haproxy(service)
  local failing, since, deps = {}, {}, service.deps
  for slot, key in pairs(service.placement.placed) do
    local actual = service.actual.servers[slot]
    local began = actual.admin == "ready" and actual.since or
      actual.admin ~= "ready" and deps.now()
    failing[key] = actual.check == "fails" or nil
    since[key] = began and math.floor(deps.wall() - deps.now() + began) or nil
  end
  return failing, since
end

--- Returns what the snapshot keeps of a service. If the record is old already,
-- it does not say how it was read, and so it stays old.
-- @tparam service service
-- @treturn record see `snapshot.begin_service`
function facts.record_of(service)
  local failing, since = found_by_haproxy(service)
  local wanted, config = service.wanted, service.deps.config
  return {
    failing = failing, since = since, name = service.name, path = config.path,
    blank = config.blank, found = config.found,
    read_as = not wanted.is_old and config.read_as or nil,
    instances = wanted.all, placed = service.placement.placed,
    states = service.operator.states,
    departed = service.operator:departed(),
    retained = wanted:retained(), addresses = service.host_names.addresses,
    orders = service.operator.orders, boot = service.deps.boot,
  }
end

return facts
