--- What is published about the services: their views, and what has changed.
--
-- Reads what the agent's parts know and changes none of it. An event is the
-- difference between what an instance was when its service last settled and
-- what it is now.
--
-- The main task makes the view of a service when a request asks, and only if
-- the service may have changed: without requests it costs nothing. Requests
-- read what is published: tables that are replaced as a whole and never change.
--
-- @module synapse.status.journal

local copy = require("synapse.copy")
local history = require("synapse.status.history")
local service_view = require("synapse.status.view")

local journal = {}
journal.__index = journal

local events = {}
events.__index = events

local histogram = {}
histogram.__index = histogram

--- What happened.
-- @table event
-- @tfield integer number from 1, without a gap
-- @tfield number time    seconds since the epoch
-- @tfield ?string service   nil: it is about the agent or its ensemble
-- @tfield ?string instance  nil: it is about all of the service, or about many
-- @tfield ?integer count    how many instances, where there is no one
-- @tfield string from    what it was
-- @tfield string to      what it is
-- @tfield ?string why    in words
-- @tfield ?number ms     milliseconds from the watch to HAProxy's answer

--- Returns no events.
-- @tparam integer size how many are kept
-- @tparam function wall returns seconds since the epoch
-- @treturn events
function journal.events(size, wall)
  return setmetatable({size = size, wall = wall, last = 0, kept = {}}, events)
end

--- Adds an event; its number and time are filled in.
-- @tparam event event
function events:add(event)
  self.last = self.last + 1
  event.number, event.time = self.last, self.wall()
  self.kept[self.last] = event
  self.kept[self.last - self.size] = nil
end

--- Lists the events after a number, the oldest first.
-- @tparam integer number 0: all that are kept
-- @treturn {event,...}
function events:since(number)
  local list = {}
  for i = math.max(number, self.last - self.size) + 1, self.last do
    list[#list + 1] = self.kept[i]
  end
  return list
end

local RECENT = 200

--- Returns a histogram of nothing.
-- @tparam {number,...} bounds upper ones, ascending
-- @treturn histogram with `bounds`; `counts`, one for each bound and one for
--   what is above; `sum`; `total`
function journal.histogram(bounds)
  local counts = {}
  for i = 1, #bounds + 1 do
    counts[i] = 0
  end
  return setmetatable({
    bounds = bounds, counts = counts, sum = 0, total = 0, ring = {},
  }, histogram)
end

--- Adds a duration.
-- @tparam number value
function histogram:add(value)
  local place = 1
  while self.bounds[place] and value > self.bounds[place] do
    place = place + 1
  end
  self.ring[self.total % RECENT + 1] = value
  self.counts[place] = self.counts[place] + 1
  self.sum, self.total = self.sum + value, self.total + 1
end

--- Lists the last durations, the oldest first.
-- @treturn {number,...} at most 200
function histogram:recent()
  local list = {}
  for i = math.max(0, self.total - RECENT), self.total - 1 do
    list[#list + 1] = self.ring[i % RECENT + 1]
  end
  return list
end

--- Returns which duration a share of the last ones does not exceed.
-- @tparam number share from 0 to 1
-- @treturn ?number nil without any
function histogram:quantile(share)
  local sorted = self:recent()
  table.sort(sorted)
  return sorted[math.max(1, math.ceil(share * #sorted))]
end

local EVENTS = 1000
-- If more instances than this do the same at once, they are one event.
local FEW = 20
local NAMED = 5
-- If more views than this have changed since a cursor, it is as fast to go
-- through all services.
local MANY = 50
local BOUNDS = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
  2.5, 5, 10, 30}

-- The state of an instance that does not exist.
local ABSENT = "absent"
-- The instances that the policy leaves out are many, and come and go. They are
-- not remembered: an instance that gets used was absent before.
local UNUSED = "unused"

-- A client that knows another name of the journal gets everything.
local function renew_name(self)
  self.began = math.max(math.floor(self.deps.wall() * 1000),
    (self.began or 0) + 1)
  self.boot = string.format("%x", self.began)
end

--- Returns an empty journal.
-- @tparam table deps
--   `services`: a list that its owner changes, who then calls `follow`;
--   `sources(service)`: lists the paths that it is read from;
--   `histories`: what is known of the last hour, by the service's name;
--   `now()`; `wall()`: seconds since the epoch
-- @treturn journal with `events`; `convergence`, seconds from a watch to the
--   last answer of HAProxy; `boot`, its own name; `names` of the services,
--   sorted; and what is published: `views`, the last of each service by its
--   name; `cursor`, which grows with every view that has changed; `totals`
--   of services and instances, and `states`, how many instances are in each
function journal.new(deps)
  local self = setmetatable({
    deps = deps,
    services = deps.services,
    events = journal.events(EVENTS, deps.wall),
    convergence = journal.histogram(BOUNDS),
    cursor = 0,
    numbered = 0,
    shown = {},
    ready = {},       -- how many of these are
    errors = {},      -- what HAProxy has counted, by service
    histories = deps.histories,
    names = {},
    views = {},
    by_cursor = {},
    versions = {},
    at = 1,           -- the service whose view is next
    building = nil,   -- its view, so far
    wanted = 0,       -- the number of the last request
    served = 0,       -- the last request that the walk under way answers
    published = 0,    -- the last request that is answered
    totals = {services = #deps.services, whole = 0, degraded = 0, down = 0,
      instances = 0},
    states = {},
  }, journal)
  for _, service in ipairs(deps.services) do
    self.shown[service], self.ready[service] = {}, 0
    self.errors[service] = 0
    self.names[#self.names + 1] = service.name
  end
  renew_name(self)
  return self
end

local function state_of(service, key)
  local state, why = service_view.state(service, key)
  if not state then
    return ABSENT, "no znode asks for it any more"
  end
  return state, why
end

-- Instances that the policy leaves out are not remembered.
local function shown_as(state)
  return state ~= ABSENT and state ~= UNUSED and state or nil
end

-- Remembers what an instance is now.
local function remember(self, service, key, state)
  local shown = self.shown[service]
  local by = (state == "ready" and 1 or 0) - (shown[key] == "ready" and 1 or 0)
  shown[key] = shown_as(state)
  self.ready[service] = self.ready[service] + by
end

--- Returns how many instances of a service were ready when it last settled.
-- @tparam service service
-- @treturn integer
function journal:number_ready(service)
  return self.ready[service] or 0
end

-- Notes for the last hour what has happened to a service.
local function record(self, service, changes, errors)
  self.histories[service.name] = history.add(self:history(service.name),
    self.deps.wall(), self.ready[service], changes, errors)
end

--- Returns what is known of the last hour of a service.
-- @tparam string name of the service
-- @treturn string see `synapse.status.history`
function journal:history(name)
  return self.histories[name] or history.NONE
end

--- Remembers the services as they are now, without an event.
function journal:begin()
  for _, service in ipairs(self.services) do
    for _, instance in ipairs(service:instances()) do
      local key = instance.key
      remember(self, service, key, (state_of(service, key)))
    end
    record(self, service, 0, 0)
    service:take_touched()
  end
end

-- Lists the instances whose state has changed, grouped by the change.
local function changes_of(self, service, touched)
  local shown, groups = self.shown[service], {}
  for key in pairs(touched) do
    local before, now, why = shown[key] or ABSENT, state_of(service, key)
    if now ~= before then
      remember(self, service, key, now)
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

local function add_many(self, service, group, ms)
  self.events:add({
    service = service.name, count = #group.keys, from = group.from,
    to = group.to, why = table.concat(group.keys, ", ", 1, NAMED) .. ", ...",
    ms = ms,
  })
end

local function add_group(self, service, group, ms)
  table.sort(group.keys)
  if #group.keys > FEW then
    return add_many(self, service, group, ms)
  end
  for _, key in ipairs(group.keys) do
    self.events:add({
      service = service.name, instance = key, from = group.from, to = group.to,
      why = group.why[key], ms = ms,
    })
  end
end

--- Notes that everything was done for a service that can be done now.
-- @tparam service service
-- @treturn boolean whether an instance is something else than before
function journal:settle(service)
  local touched, since = service:take_touched()
  local groups = changes_of(self, service, touched)
  local seconds, changes = since and self.deps.now() - since, 0
  if since then
    self.convergence:add(seconds)
  end
  for _, group in ipairs(groups) do
    add_group(self, service, group, seconds and seconds * 1000)
    changes = changes + #group.keys
  end
  if changes > 0 then
    record(self, service, changes, 0)
  end
  return changes > 0
end

--- Takes how many errors HAProxy has counted in all. If the service came while
-- HAProxy was running, the errors until now may be another service's.
-- @tparam service service
-- @tparam integer errors
function journal:count_errors(service, errors)
  local before = self.errors[service] or errors
  self.errors[service] = errors
  if errors > before then
    record(self, service, 0, errors - before)
  end
end

--- Takes note that a znode turned bad, or good again.
-- @tparam service service
-- @tparam string znode
-- @tparam ?string problem
function journal:report_znode(service, znode, problem)
  self.events:add({
    service = service.name, instance = znode,
    from = problem and "znode" or "invalid",
    to = problem and "invalid" or "znode", why = problem,
  })
end

--- Takes note that a service was frozen or thawed by command.
-- @tparam service service
-- @tparam string from
-- @tparam string to
function journal:report_frozen(service, from, to)
  self.events:add({service = service.name, from = from, to = to,
    why = "by command"})
end

--- Takes note of a session's state.
-- @tparam string hosts
-- @tparam string from
-- @tparam string to
function journal:report_session(hosts, from, to)
  self.events:add({
    instance = hosts, from = from, to = to, why = "session with ZooKeeper",
  })
end

--- Returns how many instances HAProxy does not use.
-- @tparam {[string]=integer} states how many are in each state
-- @treturn integer
function journal.idle(states)
  return (states.failed or 0) + (states.maint or 0) + (states.draining or 0)
end

local function version_of(self, service)
  local version = service.version
  for _, source in ipairs(self.deps.sources(service)) do
    version = version + source.version
  end
  return version
end

-- Adds a view to the sums, or takes it from them.
local function sum(totals, states, view, by)
  totals[view.state] = totals[view.state] + by
  totals.instances = totals.instances + by * view.number
  for state, count in pairs(view.counts) do
    local left = (states[state] or 0) + by * count
    states[state] = left > 0 and left or nil
  end
end

-- A request that interrupts this sees either the old sums or the new ones. The
-- cursor is changed last: otherwise a client could be told that it knows a view
-- that it never got.
local function keep(self, view)
  local totals, states = copy(self.totals), copy(self.states)
  local before = self.views[view.name]
  self.numbered = self.numbered + 1
  view.cursor = self.numbered
  if before then
    sum(totals, states, before, -1)
    self.by_cursor[before.cursor] = nil
  end
  sum(totals, states, view, 1)
  self.totals, self.states = totals, states
  self.views[view.name] = view
  self.by_cursor[view.cursor] = view.name
  self.cursor = math.max(self.cursor, view.cursor)
end

-- Makes the view of one service if it may have changed. Returns whether that is
-- done.
local function make_view(self, service, is_tired)
  local building = self.building
  if not building then
    local version = version_of(self, service)
    if self.versions[service] == version then
      return true
    end
    building = service_view.begin(service, self.deps.sources(service))
    building.version = version
  end
  local view = service_view.continue(building, is_tired)
  self.building = not view and building or nil
  if view then
    keep(self, view)
    self.versions[service] = building.version
  end
  return view ~= nil
end

local function forget(self, service)
  local view = self.views[service.name]
  if view then
    sum(self.totals, self.states, view, -1)
    self.by_cursor[view.cursor] = nil
    self.views[service.name] = nil
  end
  self.shown[service], self.versions[service] = nil, nil
  self.ready[service], self.errors[service] = nil, nil
end

--- Takes note that the list of services has changed. Requests may be reading
-- the tables, so each table is replaced as a whole. All clients then get
-- everything: otherwise they would go on showing what is gone.
-- @tparam {service,...} added to the list
-- @tparam {service,...} removed from it
function journal:follow(added, removed)
  self.totals, self.states = copy(self.totals), copy(self.states)
  self.views, self.at, self.building = copy(self.views), 1, nil
  renew_name(self)
  for _, service in ipairs(removed) do
    forget(self, service)
  end
  for _, service in ipairs(added) do
    self.shown[service], self.ready[service] = {}, 0
    record(self, service, 0, 0)
    make_view(self, service, function() return false end)
  end
  local names, histories = {}, {}
  for i, service in ipairs(self.services) do
    names[i] = service.name
    histories[service.name] = self.histories[service.name]
  end
  self.totals.services, self.names = #names, names
  self.histories = histories
end

--- Takes note of another configuration of a service.
-- @tparam service service
-- @tparam string what it means, in words
function journal:report_configured(service, what)
  self.events:add({service = service.name, from = "configured",
    to = what, why = "synapse.conf.json has changed"})
end

--- Asks for views that are not older than now. They are published once
-- `published` is at least what this returns.
-- @treturn integer
function journal:ask()
  self.wanted = self.wanted + 1
  return self.wanted
end

--- Tells whether a request waits for views.
-- @treturn boolean
function journal:is_wanted()
  return self.published < self.wanted
end

--- Makes views, for as long as there is time, and goes on where it stopped.
-- Main task.
-- @tparam function is_tired whether it has lasted long enough
-- @treturn boolean whether all are made
function journal:make_views(is_tired)
  if self.at == 1 and not self.building then
    self.served = self.wanted
  end
  while self.services[self.at] do
    if not make_view(self, self.services[self.at], is_tired) then
      return false
    end
    self.at = self.at + 1
    if is_tired() and self.services[self.at] then
      return false
    end
  end
  self.at = 1
  return true
end

--- Publishes the views, so that the requests that waited for them are answered.
function journal:publish()
  self.published = self.served
end

--- Lists the services whose views are newer than a cursor, in no order.
-- @tparam integer cursor
-- @treturn ?{string,...} their names; nil where they may be many
function journal:newer(cursor)
  if self.cursor - cursor > MANY then
    return nil
  end
  local list = {}
  for number = cursor + 1, self.cursor do
    list[#list + 1] = self.by_cursor[number]
  end
  return list
end

return journal
