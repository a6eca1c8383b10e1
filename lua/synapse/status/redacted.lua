--- The status without names, for a report of a bug.
--
-- @module synapse.status.redacted

local document = require("synapse.status.json")
local report = require("synapse.status.report")

local redacted = {}

-- Numbers stand for names, the same ones in all of a dump.
local function new_alias(what)
  local known, last = {}, 0
  return function(name)
    if name == nil then
      return nil
    elseif not known[name] then
      last = last + 1
      known[name] = what .. "-" .. last
    end
    return known[name]
  end
end

local function redacted_service(look, alias)
  local states, instances = {}, {}
  for i, path in ipairs(look.paths) do
    states[i] = path.state
  end
  for i, it in ipairs(look.instances) do
    instances[i] = {state = it.state, instance = alias.instance(it.key)}
  end
  return document.with({
    service = alias.service(look.service.name), state = look.state,
    source = look.service.choice.source, slots = look.slots, used = look.used,
    drift = look.service.drift,
  }, {
    {"paths", document.list(states)}, {"instances", document.list(instances)},
  })
end

local function redacted_event(event, alias)
  return document.object({
    time = event.time, service = alias.service(event.service),
    instance = alias.instance(event.instance), count = event.count,
    from = event.from, to = event.to, ms = event.ms,
  })
end

local function redacted_session(one, alias)
  return document.object({
    ensemble = alias.ensemble(one.hosts), state = one.state,
    since = one.since, timeout = one.timeout, expiries = one.expiries,
    connections = one.connections,
  })
end

--- Puts together what a report of a bug needs, and no name, address, label or
-- data of anybody.
-- @tparam agent agent
-- @tparam table visit
-- @treturn string JSON
function redacted.dump(agent, visit)
  local account, about = agent.account, agent.deps.runtime.about()
  local alias = {service = new_alias("service"),
    instance = new_alias("instance"), ensemble = new_alias("ensemble")}
  local function list(all, encode)
    return document.list(all, function(one)
      return encode(one, alias)
    end, visit.turn)
  end
  return document.with({
    schema = document.SCHEMA, version = agent.deps.version,
    haproxy = about.haproxy, started = about.started,
    time = agent.deps.runtime.wall(), rounds = agent.sync.rounds,
    commands = agent.sync.commands, refused = agent.sync.refused,
  }, {
    {"sessions", list(report.ensembles(agent), redacted_session)},
    {"troubles", document.list(report.troubles(agent))},
    {"convergence", document.convergence(account.convergence)},
    {"services", list(report.looks(agent, visit), redacted_service)},
    {"events", list(account.events:since(0), redacted_event)},
  })
end

return redacted
