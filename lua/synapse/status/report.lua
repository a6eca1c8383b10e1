--- What is asked of the agent, put together from its parts.
--
-- Reads and changes nothing, but that it looks at how many servers HAProxy
-- would use, so that what a check found is known before it is told. A `visit`
-- is what an answer needs of HAProxy, see `runtime.visit`.
--
-- @module synapse.status.report

local json = require("synapse.status.json")
local query = require("synapse.status.query")

local report = {}

-- Seconds, and services a second.
local FRESH = 0.9
local MOST_A_SECOND = 20

-- Seconds that an answer waits for HAProxy to tell what its checks found.
local PATIENCE = 0.3

-- Seconds for which a session may be without a connection and nobody is told.
local BRIEF = 5

-- Seconds without a turn after which the agent is called dead. Its supervisor
-- has tried to help by then.
local DEAD_AFTER = 15

--- Tells whether the agent lives.
-- @tparam agent agent
-- @treturn ?string why it is called dead
function report.death(agent)
  local seconds = agent.deps.now() - agent.turned_at
  return seconds > DEAD_AFTER and string.format("the agent has not turned " ..
    "for %d s or more: nothing changes until a reload of HAProxy", DEAD_AFTER)
    or nil
end

--- Lists the sessions.
-- @tparam agent agent
-- @treturn {{hosts,state,session,since,timeout,expiries,connections},...}
function report.ensembles(agent)
  local list = {}
  for _, one in ipairs(agent.sessions.list) do
    list[#list + 1] = {
      hosts = one.hosts, state = one.state, session = one.id,
      since = math.floor(one.since),
      timeout = one.timeout, expiries = one.expiries,
      connections = one.connections,
    }
  end
  table.sort(list, function(a, b) return a.hosts < b.hosts end)
  return list
end

local SESSIONS = {
  new = "no connection to ZooKeeper yet",
  connecting = "no connection to ZooKeeper",
  unknown = "no answer from ZooKeeper",
  expired = "the session with ZooKeeper has expired",
  auth_failed = "ZooKeeper refuses the credentials",
}

-- A connection that is made again at once is none. No text changes with time:
-- whoever has it read aloud is told once.
local function trouble_of(session, now)
  local state = session.state
  local is_brief = (state == "new" or state == "connecting") and
    now - session.since < BRIEF
  return SESSIONS[state] and not is_brief and string.format(
    "%s (%s): the servers stay as they are", SESSIONS[state], session.hosts)
    or nil
end

--- Lists what is wrong with the agent itself, the worst first.
-- @tparam agent agent
-- @treturn {string,...} in words
function report.troubles(agent)
  local list = {report.death(agent)}
  for _, one in ipairs(report.ensembles(agent)) do
    list[#list + 1] = trouble_of(one, agent.deps.runtime.wall())
  end
  if not agent.sessions:has_threads() then
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

local function totals(journal)
  local states = journal.states
  return json.with(journal.totals, {
    {"states", next(states) and json.object(states) or "{}"},
  })
end

local function agent_part(agent)
  local about = agent.deps.runtime.about()
  about.version = agent.deps.version
  return json.object(about)
end

-- Instances that HAProxy does not use, of a look or of all.
local function idle(counts)
  return (counts.failed or 0) + (counts.maint or 0) + (counts.draining or 0)
end

-- What an operator does to a server that is not used anyway changes no number
-- of servers: where there are some, the states are asked for each second, and
-- less often where there are many.
local function is_due(agent, one)
  local look, now = agent.journal.looks[one], agent.deps.now()
  return look and idle(look.counts) > 0 and now -
    (agent.sync.compared_at[one] or now) >
    math.max(FRESH, idle(agent.journal.states) / MOST_A_SECOND)
end

local function is_news(agent, one, usable)
  if agent:see(one, usable) then
    return true
  elseif is_due(agent, one) then
    agent:ask(one)
    return true
  end
  return false
end

--- Lets the agent know what HAProxy's checks and its operators have done.
-- @tparam agent agent
-- @tparam table visit
function report.refresh(agent, visit)
  local asking = {}
  for _, one in ipairs(agent.services) do
    visit.turn()
    asking[#asking + 1] =
      is_news(agent, one, visit.usable(one.backend)) and one or nil
  end
  visit.await(function()
    while asking[1] and not asking[1].asking do
      table.remove(asking, 1)
    end
    return not asking[1]
  end, PATIENCE)
end

--- Looks at all services.
-- @tparam agent agent
-- @tparam table visit
-- @treturn {look,...} in the order of their names
function report.looks(agent, visit)
  report.refresh(agent, visit)
  local looks = {}
  for i, one in ipairs(agent.services) do
    visit.turn()
    looks[i] = agent.journal:look(one, visit.turn)
  end
  return looks
end

-- Where the journal is now. A client that comes back with the cursor is told
-- what changes from here on, be it while this answer is made.
local function place_of(journal)
  return {
    schema = json.SCHEMA, cursor = journal.boot .. "." .. journal.cursor,
    last_event = journal.events.last,
  }, totals(journal)
end

--- Puts the status together.
-- @tparam agent agent
-- @tparam table asked see `query.STATUS`
-- @tparam table visit
-- @treturn {head=string,looks={look,...}} all but the services, as JSON; and
--   the services that were asked for
function report.status(agent, asked, visit)
  report.looks(agent, visit)
  local head, sums = place_of(agent.journal)
  local list
  list, head.matching, head.delta =
    query.of(agent.journal, asked, visit.turn)
  return {
    looks = list,
    head = json.with(head, {
      {"agent", agent_part(agent)},
      {"ensembles", json.list(report.ensembles(agent))},
      {"troubles", json.list(report.troubles(agent))},
      {"totals", sums},
      {"convergence", json.convergence(agent.journal.convergence)},
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

--- Adds to a look the counters of its service.
-- @tparam agent agent
-- @tparam look look
-- @treturn look another one, see `json.service_in_brief`
function report.in_brief(agent, look)
  local brief = copy_of(look)
  brief.counters = agent.deps.runtime.counters(look.service.backend)
  return brief
end

--- Adds to a look what costs more to know.
-- @tparam agent agent
-- @tparam look look
-- @tparam function turn gives other work its turn when it is time
-- @treturn look another one, see `json.service_in_full`
function report.in_full(agent, look, turn)
  local full, one = copy_of(look), look.service
  local rows = agent.counters:of(one, turn)
  local sources = agent.sessions:of(one)
  full.counters, full.instances = rows.BACKEND, {}
  for i, it in ipairs(look.instances) do
    turn()
    local more = copy_of(it)
    more.counters, more.data = rows[it.slot], data_of(sources, it.znode)
    full.instances[i] = more
  end
  return full
end

--- Lists events.
-- @tparam agent agent
-- @tparam table asked see `query.EVENTS`
-- @tparam table visit
-- @treturn {event,...}
-- @treturn integer the number of the newest event that there is
function report.events(agent, asked, visit)
  report.refresh(agent, visit)
  local events, list = agent.journal.events, {}
  for _, event in ipairs(events:since(asked.since or 0)) do
    if not asked.service or event.service == asked.service then
      list[#list + 1] = event
    end
  end
  return list, events.last
end

--- Puts together what a report of a bug needs.
-- @tparam agent agent
-- @tparam table visit
-- @treturn string JSON, see `json.dump`
function report.dump(agent, visit)
  local about, journal = agent.deps.runtime.about(), agent.journal
  return json.dump({
    about = {
      schema = json.SCHEMA, version = agent.deps.version,
      haproxy = about.haproxy, started = about.started,
      time = agent.deps.runtime.wall(), rounds = agent.sync.rounds,
      commands = agent.sync.commands, refused = agent.sync.refused,
    },
    sessions = report.ensembles(agent), troubles = report.troubles(agent),
    convergence = journal.convergence, looks = report.looks(agent, visit),
    events = journal.events:since(0),
  }, visit.turn)
end

-- Read, or known not to be there.
local KNOWN = {read = true, missing = true, unmade = true}

local function is_read(agent, one)
  for _, source in ipairs(agent.sessions:of(one)) do
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
