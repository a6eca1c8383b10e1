--- Answers requests from what the main task has published.
--
-- A request first tells the main task for which services HAProxy's checks or
-- operators seem to have changed something, then asks for new views, and waits
-- a little for both. It reads nothing else. A `visit` is what a request needs
-- of HAProxy, see `runtime.visit`.
--
-- @module synapse.status.report

local copy = require("synapse.copy")
local history = require("synapse.status.history")
local idle = require("synapse.status.journal").idle
local json = require("synapse.status.json")
local query = require("synapse.status.query")

local report = {}

-- Seconds that an answer waits for HAProxy's states, and for the main task to
-- publish its views.
local CHECKS_PATIENCE = 0.3
local VIEWS_PATIENCE = 2

-- Seconds that a session may be without a connection before that is reported.
local BRIEF = 5

-- Seconds without a turn after which the agent counts as dead. By then its
-- supervisor has tried to restart the loop.
local DEAD_AFTER = 15

--- Returns why the agent counts as dead, or nil.
-- @tparam agent agent
-- @treturn ?string
function report.death(agent)
  local seconds = agent.deps.now() - agent.turned_at
  return seconds > DEAD_AFTER and string.format("the agent has not turned " ..
    "for %d s or more: nothing changes until a reload of HAProxy", DEAD_AFTER)
    or nil
end

-- Lists the services that checks or operators may have changed in HAProxy.
local function seen_now(agent, visit)
  local seen = {}
  for _, name in ipairs(agent.journal.names) do
    visit.turn()
    local view = agent.journal.views[name]
    local usable = view and visit.usable(view.backend)
    local number = view and idle(view.counts)
    if view and (usable ~= agent.usable:of(name) or number > 0) then
      seen[#seen + 1] = {name = name, usable = usable, idle = number}
    end
  end
  return seen
end

--- Tells the main task what HAProxy shows, and asks it to publish what it
-- knows.
-- @tparam agent agent
-- @tparam table visit
function report.refresh(agent, visit)
  if report.death(agent) then
    return
  end
  local seen = seen_now(agent, visit)
  if #seen > 0 then
    local order = agent:order("see", seen)
    visit.await(function() return agent.is_answered(order) end,
      CHECKS_PATIENCE)
  end
  local number = agent:ask()
  visit.await(function() return agent.journal.published >= number end,
    VIEWS_PATIENCE)
end

local SESSIONS = {
  new = "no connection to ZooKeeper yet",
  connecting = "no connection to ZooKeeper",
  unknown = "no answer from ZooKeeper",
  expired = "the session with ZooKeeper has expired",
  auth_failed = "ZooKeeper refuses the credentials",
}

-- Names the ensemble, and says why it is out of reach if that is known: from
-- its servers, or because their names have no address.
local function ensemble_of(session)
  local cause = not session.refusal and (session.missing or session.cause)
  return string.format(" (%s%s)", session.hosts, cause and "; " .. cause or "")
end

-- A connection that is back soon is no trouble. The text does not change with
-- time, so that a screen reader reads it once.
local function trouble_of(session, now)
  local state = session.state
  local is_brief = (state == "new" or state == "connecting") and
    now - session.since < BRIEF
  if session.refusal then
    return "ZooKeeper ends each connection: " .. session.refusal
  end
  return not is_brief and SESSIONS[state] or nil
end

local function first_of(list)
  return #list == 1 and list[1] or
    string.format("%s (and %d more)", list[1], #list - 1)
end

-- Adds what the files of the configuration say and HAProxy does not do.
local function add_configuration(list, live, is_nameless)
  local wrong = "the configuration on disk is wrong, and nothing of it is " ..
    "applied"
  local late = "the configuration on disk has changes that need a reload of " ..
    "HAProxy"
  for _, what in ipairs({{wrong, live.errors}, {late, live.needs}}) do
    local text, lines = table.unpack(what)
    if #lines > 0 then
      list[#list + 1] = is_nameless and text or
        string.format("%s: %s: %s", live.path, text, first_of(lines))
    end
  end
end

-- Adds the kinds of blank backends that are running out.
local function add_spare(list, view, is_nameless)
  for _, kind in ipairs(view.spare or {}) do
    local taken = kind.all - kind.free
    if kind.is_scarce then
      list[#list + 1] = string.format("blank backends%s: %d of %d are taken",
        is_nameless and "" or " of " .. kind.name, taken, kind.all)
    end
  end
end

-- What `discover` finds and does not serve as it is to be.
local function add_found(list, view, is_nameless)
  local found = view.found or {refused = {}, state = "read"}
  local place = is_nameless and "" or " in " .. (found.path or "")
  if found.state ~= "read" and found.state ~= "new" then
    list[#list + 1] = string.format("services cannot be found%s: %s", place,
      found.state == "missing" and "there is no such znode" or found.why or
      found.state)
  end
  local first = found.refused[1]
  if first then
    list[#list + 1] = string.format("%d found%s%s%s", found.refusals, place,
      found.refusals == 1 and " is not served, or not by its port" or
      " are not served, or not by their ports",
      is_nameless and "" or string.format(": %s: %s%s", first.name, first.why,
        found.refusals > 1 and "; ..." or ""))
  end
end

--- Lists what is wrong with the agent itself, the worst first.
-- @tparam agent agent
-- @tparam ?boolean is_nameless whether no name or address may be in it
-- @treturn {string,...} in words
function report.troubles(agent, is_nameless)
  local list, view = {report.death(agent)}, agent.view
  for _, session in ipairs(view.sessions) do
    local trouble = trouble_of(session, agent.deps.runtime.wall())
    list[#list + 1] = trouble and trouble ..
      (is_nameless and "" or ensemble_of(session)) ..
      ": the servers stay as they are"
  end
  if not view.has_threads then
    list[#list + 1] = "HAProxy's worker may not start threads: set " ..
      "`insecure-fork-wanted` in `global`"
  end
  if view.runtime_failing then
    list[#list + 1] = "HAProxy's runtime API does not answer: nothing changes"
  end
  if view.snapshot_failing then
    list[#list + 1] = "the snapshot cannot be written; the old one stays"
  end
  add_configuration(list, agent.live, is_nameless)
  add_spare(list, agent.view, is_nameless)
  add_found(list, agent.view, is_nameless)
  if view.snapshot_holder then
    list[#list + 1] = string.format("%s has this HAProxy's state_file_path: " ..
      "no snapshot is kept; give each HAProxy a file of its own",
      view.snapshot_holder)
  end
  return list
end

--- Lists the sessions.
-- @tparam agent agent
-- @treturn {{hosts,state,session,since,timeout,expiries,connections,refusal,
--   cause},...}
function report.sessions(agent)
  return agent.view.sessions
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

--- Lists the views of all services.
-- @tparam agent agent
-- @tparam table visit
-- @treturn {view,...} in the order of their names
function report.views(agent, visit)
  report.refresh(agent, visit)
  local views = {}
  for _, name in ipairs(agent.journal.names) do
    views[#views + 1] = agent.journal.views[name]
  end
  return views
end

-- Returns where the journal is now. A client that comes back with this cursor
-- gets every later change, also one that happens while the answer is made.
local function place_of(journal)
  return {
    schema = json.SCHEMA, cursor = journal.boot .. "." .. journal.cursor,
    last_event = journal.events.last,
  }, totals(journal)
end

local function found_part(found)
  local head = copy(found)
  head.refused = nil
  return json.with(head, {{"refused", json.list(found.refused)}})
end

--- Puts the status together.
-- @tparam agent agent
-- @tparam table asked see `query.STATUS`
-- @tparam table visit
-- @treturn {head=string,views={view,...}} all but the services, as JSON; and
--   the services that were asked for
function report.status(agent, asked, visit)
  report.refresh(agent, visit)
  local head, sums = place_of(agent.journal)
  local list
  list, head.matching, head.delta =
    query.of(agent.journal, asked, visit.turn)
  return {
    views = list,
    head = json.with(head, {
      {"agent", agent_part(agent)},
      {"ensembles", json.list(report.sessions(agent))},
      {"troubles", json.list(report.troubles(agent))},
      {"spare", json.list(agent.view.spare or {})},
      {"totals", sums},
      {"convergence", json.convergence(agent.journal.convergence)},
      agent.view.found and {"discover", found_part(agent.view.found)},
    }),
  }
end

local function history_of(agent, name)
  return history.entries(agent.journal:history(name),
    agent.deps.runtime.wall())
end

--- Adds to a view the counters of its service.
-- @tparam agent agent
-- @tparam view view
-- @tparam ?boolean with_history whether the last hour is wanted, too
-- @treturn view another one, see `json.service_in_brief`
function report.in_brief(agent, view, with_history)
  local brief = copy(view)
  local counters = agent.deps.runtime.counters(view.backend)
  local service = agent.by_name[view.name]
  local before = service and service.errors_before.BACKEND
  if before then
    counters.errors = math.max(counters.errors - before, 0)
  end
  brief.counters = counters
  brief.history = with_history and history_of(agent, view.name) or nil
  return brief
end

--- Adds to a view the counters of its servers, and its last hour.
-- @tparam agent agent
-- @tparam view view
-- @tparam function turn gives other work its turn when it is time
-- @treturn view another one, see `json.service_in_full`
function report.in_full(agent, view, turn)
  local full, rows = copy(view), agent:counters_of(view.name, turn)
  full.counters, full.instances = rows.BACKEND, {}
  for i, instance in ipairs(view.instances) do
    turn()
    local more = copy(instance)
    more.counters = rows[instance.slot]
    full.instances[i] = more
  end
  full.history = history_of(agent, view.name)
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
  local views, about = report.views(agent, visit), agent.deps.runtime.about()
  local journal, view = agent.journal, agent.view
  return json.dump({
    about = {
      schema = json.SCHEMA, version = agent.deps.version,
      haproxy = about.haproxy, started = about.started,
      time = agent.deps.runtime.wall(), rounds = view.rounds,
      commands = view.commands, refused = view.refused,
    },
    sessions = view.sessions, troubles = report.troubles(agent, true),
    convergence = journal.convergence, views = views,
    events = journal.events:since(0),
  }, visit.turn)
end

--- Lists the services that were read neither from ZooKeeper nor from a snapshot
-- (`is_unread` of their view). Once there was none, there is none: a later
-- failure is no reason to send traffic elsewhere.
-- @tparam agent agent
-- @tparam table visit
-- @treturn {string,...} names
function report.unread(agent, visit)
  if not agent.is_ready then
    report.refresh(agent, visit)
  end
  return agent.is_ready and {} or agent.view.unread
end

return report
