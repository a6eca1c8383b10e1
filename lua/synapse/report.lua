--- What is asked of the agent, put together from its parts.
--
-- Reads and changes nothing, but that it looks at how many servers HAProxy
-- would use, so that what a check found is seen while somebody looks.
--
-- @module synapse.report

local document = require("synapse.document")

local report = {}

-- Seconds without a turn after which the agent is called dead. Its supervisor
-- has tried to help by then.
local DEAD_AFTER = 15

--- Tells whether the agent lives.
-- @tparam agent agent
-- @treturn ?string why it is called dead
function report.death(agent)
  local seconds = agent.deps.now() - agent.turned_at
  return seconds > DEAD_AFTER and string.format("the agent has not turned " ..
    "for %.0f s: nothing changes until a reload of HAProxy", seconds) or nil
end

--- Lists the sessions.
-- @tparam agent agent
-- @treturn {{hosts,state,session,since,timeout,expiries,connections},...}
function report.ensembles(agent)
  local list, now = {}, agent.deps.now()
  for _, one in ipairs(agent.sources.ensembles) do
    list[#list + 1] = {
      hosts = one.hosts, state = one.state, session = one.id,
      since = math.floor(agent.deps.runtime.wall() - (now - one.since)),
      timeout = one.timeout, expiries = one.expiries,
      connections = one.connections,
    }
  end
  table.sort(list, function(a, b) return a.hosts < b.hosts end)
  return list
end

--- Lists what is wrong with the agent itself, the worst first.
-- @tparam agent agent
-- @treturn {string,...} in words
function report.troubles(agent)
  local list = {report.death(agent)}
  if not agent.sources:has_threads() then
    list[#list + 1] = "HAProxy's worker may not start threads: set " ..
      "`insecure-fork-wanted` in `global`"
  end
  if agent.sync.failing then
    list[#list + 1] = "HAProxy's runtime API does not answer: nothing changes"
  end
  if agent.keeper.failing then
    list[#list + 1] = "the snapshot cannot be written; the old one stays"
  end
  return list
end

local function totals(looks)
  local sum = {services = #looks, whole = 0, degraded = 0, down = 0,
    instances = 0}
  local states = {}
  for _, look in ipairs(looks) do
    sum[look.state] = sum[look.state] + 1
    sum.instances = sum.instances + look.number
    for state, count in pairs(look.counts) do
      states[state] = (states[state] or 0) + count
    end
  end
  return document.with(sum, {
    {"states", next(states) and document.object(states) or "{}"},
  })
end

-- The instances that a client does not know yet are those of looks made after
-- its cursor; a cursor of another worker is none.
local function known_until(account, since)
  local boot, number = (since or ""):match("^(%x+)%.(%d+)$")
  return boot == account.boot and tonumber(number) or nil
end

local function selected(account, looks, asked)
  local list, known = {}, known_until(account, asked.since)
  local names = asked.service and {}
  for _, name in ipairs(asked.service or {}) do
    names[name] = true
  end
  for _, look in ipairs(looks) do
    if (not known or look.cursor > known) and
      (not names or names[look.service.name]) and
      (not asked.problems or look.state ~= "whole")
    then
      list[#list + 1] = look
    end
  end
  local first = (asked.offset or 0) + 1
  local last = math.min(#list, (asked.limit or #list) + first - 1)
  return table.move(list, first, last, 1, {}), #list, known ~= nil
end

local function agent_part(agent)
  local about = agent.deps.runtime.about()
  about.version = agent.deps.version
  return document.object(about)
end

--- Looks at all services.
-- @tparam agent agent
-- @tparam function turn gives other work its turn when it is time
-- @treturn {look,...} in the order of their names
function report.looks(agent, turn)
  local looks = {}
  for i, one in ipairs(agent.services) do
    turn()
    agent:look_at(one)
    looks[i] = agent.account:look(one)
  end
  return looks
end

--- Puts the status together.
-- @tparam agent agent
-- @tparam table asked see `query.STATUS`
-- @tparam function turn gives other work its turn when it is time
-- @treturn {head=string,looks={look,...}} all but the services, as JSON; and
--   the services that were asked for
function report.status(agent, asked, turn)
  local account, looks = agent.account, report.looks(agent, turn)
  local list, matching, is_delta = selected(account, looks, asked)
  return {
    looks = list,
    head = document.with({
      schema = document.SCHEMA, delta = is_delta, matching = matching,
      cursor = account.boot .. "." .. account.cursor,
      last_event = account.events.last,
    }, {
      {"agent", agent_part(agent)},
      {"ensembles", document.list(report.ensembles(agent))},
      {"troubles", document.list(report.troubles(agent))},
      {"totals", totals(looks)},
      {"convergence", document.convergence(account.convergence)},
    }),
  }
end

local function data_of(sources, znode)
  for _, source in ipairs(znode and sources or {}) do
    local data = source:data(znode)
    if data then
      return data
    end
  end
  return nil
end

local function copy_of(fields)
  local copy = {}
  for name, value in pairs(fields) do
    copy[name] = value
  end
  return copy
end

--- Adds to a look what costs more to know.
-- @tparam agent agent
-- @tparam look look
-- @tparam function turn gives other work its turn when it is time
-- @treturn look another one, see `document.service_in_full`
function report.in_full(agent, look, turn)
  local full, one = copy_of(look), look.service
  local rows = agent.counters:of(one, turn)
  local sources = agent.sources:of(one)
  full.counters, full.instances = rows.BACKEND, {}
  for i, it in ipairs(look.instances) do
    turn()
    local more = copy_of(it)
    more.counters, more.data = rows[it.slot], data_of(sources, it.znode)
    full.instances[i] = more
  end
  return full
end

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
-- @tparam function turn gives other work its turn when it is time
-- @treturn string JSON
function report.redacted(agent, turn)
  local account, about = agent.account, agent.deps.runtime.about()
  local alias = {service = new_alias("service"),
    instance = new_alias("instance"), ensemble = new_alias("ensemble")}
  local function list(all, encode)
    return document.list(all, function(one)
      turn()
      return encode(one, alias)
    end)
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
    {"services", list(report.looks(agent, turn), redacted_service)},
    {"events", list(account.events:since(0), redacted_event)},
  })
end

--- Lists events.
-- @tparam events events
-- @tparam table asked see `query.EVENTS`
-- @treturn {event,...}
function report.events(events, asked)
  local list = {}
  for _, event in ipairs(events:since(asked.since or 0)) do
    if not asked.service or event.service == asked.service then
      list[#list + 1] = event
    end
  end
  return list
end

-- Read, or known not to be there.
local KNOWN = {read = true, missing = true, unmade = true}

local function is_read(agent, one)
  for _, source in ipairs(agent.sources:of(one)) do
    if not KNOWN[source.state] then
      return one.deps.record ~= nil
    end
  end
  return true
end

--- Lists the services that were read neither from ZooKeeper nor from a
-- snapshot.
-- @tparam agent agent
-- @tparam function turn gives other work its turn when it is time
-- @treturn {string,...} names
function report.unread(agent, turn)
  local list = {}
  for _, one in ipairs(agent.services) do
    turn()
    list[#list + 1] = not is_read(agent, one) and one.name or nil
  end
  return list
end

return report
