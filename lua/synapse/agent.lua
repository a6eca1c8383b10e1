--- Connects the parts: events come in, a turn handles them, commands and files
-- go out.
--
-- The agent knows no HAProxy: what it needs of HAProxy is passed in as
-- functions. Only the main task calls `turn`. Other tasks call `stop`, `order`
-- and `ask`, and read what is published: the journal's views, and the agent's
-- own `view`.
--
-- @module synapse.agent

local changes = require("synapse.changes")
local counters = require("synapse.haproxy.counters")
local encoder = require("synapse.snapshot.encoder")
local history = require("synapse.status.history")
local journal = require("synapse.status.journal")
local output = require("synapse.file_output")
local new_service = require("synapse.service.service").new
local plural = require("synapse.plural")
local sessions = require("synapse.zookeeper.sessions")
local snapshot = require("synapse.snapshot.format")
local snapshot_file = require("synapse.snapshot.file")
local spare = require("synapse.spare")
local sync = require("synapse.haproxy.sync")
local usable = require("synapse.haproxy.usable")

local agent = {}
agent.__index = agent

local TICK = 0.2
-- A tick looks at LOOKED_AT services, or at more so that all are looked at
-- within LOOK_TICKS ticks, as far as the turn has time.
local LOOKED_AT = 10
local LOOK_TICKS = 25
local RETRY = 1
local QUIET = 60
local SLICE = 0.003
-- Seconds between two looks at the clocks within a turn.
local CLOCK_EVERY = 0.0002
-- The bounds of a histogram: seconds that a turn has taken.
local TURNS = {0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.015,
  0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5}

-- Asking HAProxy takes 0.1 ms, and every new instance asks about each resting
-- slot. So "the slot has sessions" is remembered for a tick; once it has none,
-- the slot is not asked about again.
local function new_sessions(deps, backend)
  local asked_at = {}
  return function(slot)
    local now = deps.now()
    if asked_at[slot] and now - asked_at[slot] < TICK then
      return 1
    end
    local number = deps.runtime.sessions(backend, slot)
    asked_at[slot] = number > 0 and now or nil
    return number
  end
end

-- Makes a service of a configuration, the backend and its slots, and the part
-- of the snapshot.
local function make_service(self, config, backend, slots, record)
  local deps = self.deps
  local can = deps.runtime.can()
  local service = new_service({
    config = config, backend = backend, pool = slots.pool,
    declared = slots.declared,
    vacated = slots.vacated, record = record,
    sessions = new_sessions(deps, backend),
    id = function() return deps.runtime.id(backend) end,
    address_is_deferred = can.address_is_deferred,
    deletes_servers = can.deletes_servers,
    is_at = function(slot, host, port)
      return deps.runtime.is_at(backend, slot, host, port)
    end,
    is_claimed = function(key) return self.sessions:has(key) end,
    retained_by = self.retained_by,
    now = deps.now, wall = deps.runtime.wall, boot = deps.boot,
    log = deps.log,
  })
  self.ordered[service] = service:has_orders() or nil
  return service
end

-- HAProxy counts the errors of a backend that others may have had since its own
-- start.
local function make_later(self, config, ...)
  local service = make_service(self, config, ...)
  service.errors_before.BACKEND = config.blank and
    self.deps.runtime.counters(service.backend).errors or nil
  return service
end

local function add_services(self, deps)
  for _, config in ipairs(deps.config.services) do
    local backend = config.blank or config.backend
    local pool, declared =
      deps.runtime.slots(backend, deps.restored[backend] or {})
    local service = make_service(self, config, backend,
      {pool = pool, declared = declared},
      snapshot.record_of(deps.records, config))
    table.insert(self.services, service)
    self.by_name[service.name] = service
  end
end

local function changed(self, service, is_changed)
  if is_changed then
    self.sync:mark(service)
    self.keeper:changed()
    self.output:changed(service)
  end
end

-- If nothing is known of a service, no file is written: an empty one would say
-- that it has no instances.
local function reconfigured(self, service)
  self.sync:mark(service)
  self.keeper:changed()
  if self.known[service] or service:serving()[1] or
    #service.deps.config.sources == 0
  then
    self.output:changed(service)
  end
end

-- After its first read a service gets its file, even if nothing changed.
local function heard(self, service, is_changed)
  if not self.known[service] then
    self.known[service] = true
    self.keeper:changed()
    self.output:changed(service)
  end
  changed(self, service, is_changed)
end

local function new_keeper(self, deps)
  return snapshot_file.keeper({
    path = deps.snapshot_path, now = deps.now, log = deps.log,
    write = deps.write_snapshot, lock = deps.snapshot_lock,
    encode = function() return self.encoder:encode() end,
  })
end

local function new_encoder(self, deps)
  return encoder.new({
    services = self.services, checksum = deps.checksum,
    addresses = function() return deps.lookup:known() end,
    history = function(name)
      return history.encode(self.journal:history(name))
    end,
    is_tired = function() return self:is_tired() end,
  })
end

-- A service counts as known if the snapshot has it, or if it has no source from
-- which it could be read.
local function new_output(self, deps)
  local services = {}
  for _, service in ipairs(self.services) do
    services[#services + 1] = service.deps.config.has_file and service or nil
  end
  local place = deps.output or {}
  local files = output.new({
    directory = place.directory, path = place.path, write = place.write,
    remove = place.remove, services = services, now = deps.now,
    is_tired = function() return self:is_tired() end,
    log = deps.log,
  })
  for _, service in ipairs(services) do
    if deps.records[service.name] or #service.deps.config.sources == 0 then
      files:changed(service)
    end
  end
  return files
end

-- Whatever walks through the list of services starts again when it has changed.
local function new_changes(self, deps)
  return changes.new({
    services = self.services, by_name = self.by_name,
    unused = deps.unused or {}, sessions = self.sessions,
    journal = self.journal, sync = self.sync, output = self.output,
    lookup = deps.lookup, spare = self.spare,
    make = function(...) return make_later(self, ...) end,
    is_tired = function() return self:is_tired() end,
    changed = function(service) reconfigured(self, service) end,
    forgotten = function(service)
      self.counters:forget(service)
      self.usable:forget(service)
      self.encoder:forget(service)
      self.known[service], self.ordered[service] = nil, nil
      if self.found then
        self.found:forgotten(service.name)
      end
    end,
    listed = function()
      self.encoder:restart()
      self.looked_at, self.sync.retained_at = 0, 0
      self.keeper:changed()
    end,
  })
end

-- An address that has changed is in the next snapshot.
local function begin_lookup(self, deps)
  deps.lookup:begin({
    ask = function(hosts) return self.client:resolve(hosts) end,
    moved = function(hosts)
      self.sessions:use_addresses(hosts)
      self.keeper:changed()
    end,
    filled = function(config)
      local service = self.by_name[config.name]
      if service and service.deps.config == config then
        changed(self, service, service:review())
        self.keeper:changed()
      end
    end,
    resolve = deps.resolve, now = deps.now, random = deps.random,
  })
end

-- Returns what the last worker has recorded of the last hour, by service name.
local function histories_of(records)
  local histories = {}
  for name, record in pairs(records) do
    histories[name] = history.decode(record.history)
  end
  return histories
end

--- Returns an agent with its services filled from the snapshot, and no session.
-- @tparam table deps
--   `config`; `client` of the zookeeper module; `codes` and `checksum` of it;
--   `records` of the snapshot, by service; `restored`: the host:port that
--   HAProxy was told to restore, by backend and slot; `unused`: the slots of
--   the backends that no service fills, `{pool, declared}` by backend;
--   `spare`: the blank backends, and `found`: the services found in ZooKeeper,
--   both nil without; `resolve(hosts)` of the
--   zookeeper module; `live`: the configuration as it
--   is on disk, see `synapse.config.live`; `lookup` of the names
--   that the configuration has; `write_snapshot(text)`, `snapshot_lock`, see
--   `snapshot_file.keeper`, and `snapshot_path`, all nil without;
--   `output`: the place of the services' files, see `output.new`, nil without;
--   `runtime`: HAProxy as `synapse.haproxy.runtime` shows it; `now()`;
--   `thread_time()`: seconds that this thread has worked; `random()`; `boot`:
--   a name of this run of the machine; `log`
-- @treturn agent
function agent.new(deps)
  local self = setmetatable({
    deps = deps,
    client = deps.client,
    services = {},
    by_name = {},
    orders = {},
    has_views = false, -- of all services, and has not published them yet
    ordered = {},     -- services in which operators ordered something
    spare = deps.spare or spare.new({}, {}),
    found = deps.found, -- nil: no services are found in ZooKeeper
    live = deps.live or {errors = {}, needs = {}, distrust = function() end},
    reviews = {},
    reviewed = {},
    retained_by = {},
    known = {},
    looked_at = 0,
    ticked_at = 0,
    began_at = deps.now(),
    turned_at = deps.now(),
    nudged_at = deps.now(),
    step = 1,
    run = {},         -- `began`, in processor time, and HAProxy's `clock` then
    longest_run = 0,  -- of the last turn
    clock_at = 0,     -- when the clocks are looked at again
    broken_until = 0,
    turns = journal.histogram(TURNS),
    quiet_until = {},
    forget_at = 0,
    stopped = false,
    view = nil,       -- what is published, see `view_of`
    is_ready = false, -- everything was read once, or is from a snapshot
  }, agent)
  add_services(self, deps)
  self.sessions = sessions.new({
    services = self.services, codes = deps.codes, now = deps.now,
    wall = deps.runtime.wall, random = deps.random, log = deps.log,
    resync_interval = deps.config.resync_interval,
    reported = function(service, znode, problem)
      self.journal:report_znode(service, znode, problem)
    end,
    lookup = deps.lookup,
    entered = function(hosts, from, to)
      self.journal:report_session(hosts, from, to)
      if to == "connected" then
        deps.lookup:reached(hosts)
      else
        deps.lookup:lost(hosts)
      end
    end,
  })
  self.journal = journal.new({
    services = self.services, now = deps.now, wall = deps.runtime.wall,
    sources = function(service) return self.sessions:of(service) end,
    histories = histories_of(deps.records),
  })
  self.counters = counters.new({
    now = deps.now, send = function(line) return self.client:command(line) end,
    id = function(service) return deps.runtime.id(service.backend) end,
  })
  begin_lookup(self, deps)
  self.encoder = new_encoder(self, deps)
  self.keeper = new_keeper(self, deps)
  self.output = new_output(self, deps)
  deps.records = nil
  self.sync = sync.new({
    services = self.services, now = deps.now, log = deps.log,
    send = function(line) return self.client:command(line) end,
    -- What a round has planned it also sends, which takes as long again.
    is_tired = function() return self:is_tired(0.5) end,
    operated = function() self.keeper:changed_by_hand() end,
    checked = function() self.keeper:changed() end,
    settled = function(service)
      if self.journal:settle(service) then
        self.keeper:changed_a_little()
      end
    end,
    applied = function(service) self.usable:changed(service) end,
  })
  self.usable = usable.new({
    now = deps.now, active = deps.runtime.active,
    errors = deps.runtime.errors,
    slots = function(service) return #service.placement.pool end,
    ready = function(service) return self.journal:number_ready(service) end,
    compare = function(service) self.sync:compare(service) end,
    compared_at = function(service) return self.sync.compared_at[service] end,
    idle = function() return journal.idle(self.journal.states) end,
    erred = function(service, errors)
      self.journal:count_errors(service, errors)
    end,
  })
  self.changes = new_changes(self, deps)
  if self.found then
    self.found:begin({sessions = self.sessions, changes = self.changes,
      by_name = self.by_name, active = deps.runtime.active,
      is_tired = function() return self:is_tired() end})
  end
  return self
end

-- HAProxy interrupts Lua after a number of instructions and does other work,
-- which must not count. HAProxy's clock moves only then. So the time counts
-- while the clock is the same, and a new run begins when the clock has moved.
-- Most turns are so short that they look only at their start and at their end.
local function look_at_clock(self, at)
  self.clock_at = at + CLOCK_EVERY
  local now, clock = self.deps.thread_time(), self.deps.runtime.wall()
  if clock ~= self.run.clock then
    self.run = {began = now, clock = clock}
  end
  self.longest_run = math.max(self.longest_run, now - self.run.began)
end

--- Returns how long the last turn kept HAProxy's thread from other work: its
-- longest run without an interruption.
-- @treturn number seconds of processor time
function agent:blocked()
  look_at_clock(self, self.deps.now())
  return self.longest_run
end

--- Tells whether this turn has lasted long enough: HAProxy's thread has other
-- work, and all of Lua waits meanwhile.
-- @tparam ?number share of a turn that is long enough; nil: all of it
-- @treturn boolean
function agent:is_tired(share)
  local now = self.deps.now()
  if now >= self.clock_at then
    look_at_clock(self, now)
  end
  return now - self.turned_at > SLICE * (share or 1)
end

-- HAProxy may have restored a slot that must be empty.
local function fill_service(self, service)
  local servers, runtime = service:target(), self.deps.runtime
  for _, slot in ipairs(service.placement.pool) do
    local server = servers[slot]
    if not server then
      runtime.empty(service.backend, slot)
    elseif server.host and runtime.fill(service.backend, slot, server) then
      service:filled(slot, server)
    end
  end
end

local function sessions_of(self)
  local list = {}
  for i, session in ipairs(self.sessions.list) do
    list[i] = {
      hosts = session.hosts, state = session.state, session = session.id,
      since = math.floor(session.since), timeout = session.timeout,
      expiries = session.expiries, connections = session.connections,
      fired = session.fired, refusal = session.refusal, cause = session.cause,
      missing = self.deps.lookup:missing(session.hosts),
    }
  end
  table.sort(list, function(a, b) return a.hosts < b.hosts end)
  return list
end

-- Returns sums over all services, and the services of which nothing is known.
local function sums_of(self)
  local sums = {drift = 0, guarded = 0, compared_at = self.deps.now(),
    unread = {},
    operated = {maint = 0, maint_until = 0, drain = 0, drain_until = 0}}
  for _, service in ipairs(self.services) do
    local shown = self.journal.views[service.name]
    for kind, count in pairs(shown.operated or {}) do
      sums.operated[kind] = sums.operated[kind] + count
    end
    sums.drift = sums.drift + service.drift
    sums.guarded = sums.guarded + (service:has_retained() and 1 or 0)
    sums.compared_at = math.min(sums.compared_at,
      self.sync.compared_at[service] or self.began_at)
    if shown.is_unread then
      table.insert(sums.unread, service.name)
    end
  end
  if self.found and self.found:is_unread() then
    table.insert(sums.unread, "discover")
  end
  return sums
end

-- The agent's own view: what is known beside the services, as a table that
-- does not change.
local function view_of(self)
  local view = sums_of(self)
  view.sessions = sessions_of(self)
  view.has_threads = self.sessions:has_threads()
  view.rounds, view.commands = self.sync.rounds, self.sync.commands
  view.refused, view.runtime_failing = self.sync.refused, self.sync.failing
  view.spare = self.spare:counts()
  view.found = self.found and self.found:view()
  view.snapshot_failing = self.keeper.failing
  view.snapshot_holder = self.keeper:holder()
  view.snapshot_at = self.deps.write_snapshot and not view.snapshot_holder and
    self.keeper.written_at or nil
  return view
end

--- Puts the services' instances into HAProxy's slots, before it serves.
function agent:fill()
  for _, service in ipairs(self.services) do
    fill_service(self, service)
  end
  self.journal:begin()
  self.journal:make_views(function() return false end)
  self.view = view_of(self)
  self.is_ready = #self.view.unread == 0
end

--- Opens the sessions.
function agent:open()
  self.sessions:open(self.client, self.deps.config.session_timeout)
end

-- The client library logs the same line at every attempt to connect, and the
-- session's own lines say what it means. So each kind of line is logged at most
-- once a minute.
local function report_library(self, event)
  local now = self.deps.now()
  local kind = event.message:gsub("%d+", "N")
  if now < (self.quiet_until[kind] or 0) then
    return
  end
  if now >= self.forget_at then
    self.quiet_until = {}
    self.forget_at = now + QUIET
  end
  self.quiet_until[kind] = now + QUIET
  self.deps.log:info("zookeeper: %s%s", event.message, event.dropped and
    " (" .. plural(event.dropped, "line") .. " dropped before)" or "")
end

local function take(self, event)
  if self.sessions:take(event) then
    return
  elseif event.type == "answer" then
    self.sync:take(event)
    self.counters:take(event)
    self.spare:take_answer(event)
  elseif event.type == "job" then
    self.keeper:take(event)
    self.output:take(event)
  elseif event.type == "addresses" then
    self.deps.lookup:take(event)
  elseif event.type == "files" then
    self.live:notice()
  elseif event.type == "log" then
    self.sessions:note_line(event.message)
    report_library(self, event)
  end
end

--- Takes what a request saw of services. If HAProxy may have news of a service,
-- that is `asking` until HAProxy has answered with the states of its servers.
-- @tparam {{name,usable,idle},...} seen how many servers HAProxy would use (see
--   `runtime.visit`), and how many instances are not used
-- @treturn {service,...} those that are asked for
function agent:see(seen)
  local asked = {}
  for _, sight in ipairs(seen) do
    local service = self.by_name[sight.name]
    asked[#asked + 1] = service and self.usable:see(service, sight) and
      service or nil
  end
  return asked
end

--- Tells whether HAProxy has answered what an order to `see` asked for.
-- @tparam table order
-- @treturn boolean
function agent.is_answered(order)
  for _, service in ipairs(order.said or {}) do
    if service.asking then
      return false
    end
  end
  return order.said ~= nil
end

--- Asks HAProxy for the counters of services, see `counters:ask`.
-- @tparam {string,...} names
-- @treturn boolean true
function agent:count_sessions(names)
  local services = {}
  for _, name in ipairs(names) do
    services[#services + 1] = self.by_name[name]
  end
  self.counters:ask(services)
  return true
end

--- Tells whether HAProxy has answered an order to `count_sessions`.
-- @tparam table order
-- @tparam {string,...} names
-- @treturn boolean
function agent:is_counted(order, names)
  for _, name in ipairs(names) do
    if self.by_name[name] and
      self.counters:is_waiting({self.by_name[name]})
    then
      return false
    end
  end
  return order.said ~= nil
end

--- Returns the counters of a service's servers, see `counters:of`.
-- @tparam string name of the service
-- @tparam function turn
-- @treturn {[string]=table}
function agent:counters_of(name, turn)
  local service = self.by_name[name]
  return service and self.counters:of(service, turn) or {}
end

-- A service that has left may still be in a list of things to do.
local function is_here(self, service)
  return self.by_name[service.name] == service
end

-- Notes that a service's retained instances must be reviewed.
local function review_soon(self, service)
  if not self.reviewed[service] then
    self.reviewed[service] = true
    table.insert(self.reviews, service)
  end
end

local function look(self)
  local number = #self.services
  local share = math.max(LOOKED_AT, math.ceil(number / LOOK_TICKS))
  for i = 1, math.min(share, number) do
    if i > LOOKED_AT and self:is_tired() then
      return
    end
    self.looked_at = self.looked_at % #self.services + 1
    local service = self.services[self.looked_at]
    if not self.sync:is_uncounted(service) then
      self.usable:look_at(service)
    end
    if service:is_review_due() then
      review_soon(self, service)
    end
  end
end

-- Ends what operators ordered for a limited time.
local function end_orders(self)
  for service in pairs(self.ordered) do
    changed(self, service, service:end_orders())
    self.ordered[service] = service:has_orders() or nil
  end
end

-- An instance whose address another znode has by now is not retained.
local function take_claims(self)
  for key in pairs(self.sessions:take_new_claims() or {}) do
    for service in pairs(self.retained_by[key] or {}) do
      review_soon(self, service)
    end
  end
end

local function tick(self)
  local now = self.deps.now()
  if now - self.ticked_at < TICK then
    return
  end
  self.ticked_at = now
  self.client:tick()
  self.sessions:tick()
  self.deps.lookup:tick()
  take_claims(self)
  end_orders(self)
  look(self)
  self.sync:tick()
  self.spare:tick()
  if self.found then
    self.found:tick()
  end
end

local function take_all(self)
  while not self.stopped and not self:is_tired() do
    local event = self.client:poll()
    if not event then
      return
    end
    take(self, event)
  end
end

-- When the retention after a wipe ends, a thousand services are due together.
local function review(self)
  while self.reviews[1] and not self:is_tired() do
    local service = table.remove(self.reviews)
    self.reviewed[service] = nil
    if is_here(self, service) then
      changed(self, service, service:review())
    end
  end
end

-- Commands and files need threads, as sessions do; the session's alert says so.
local function round(self)
  if self.sessions:has_threads() then
    self.sync:round()
  end
end

local function keep(self)
  if self.sessions:has_threads() then
    self.keeper:tick()
    self.output:tick()
  end
end

-- Carries out the orders that other tasks have given.
local function obey(self)
  while self.orders[1] do
    local order = table.remove(self.orders, 1)
    order.said = self[order.what](self, order.argument)
  end
end

-- Applies changes of the configuration, and what was found in ZooKeeper.
local function apply(self)
  if self.found then
    self.found:turn()
  end
  self.changes:turn()
end

-- A service whose instances may have changed is updated once, however many
-- events have come for it.
local function update(self)
  while not self:is_tired() do
    local service, since = self.sessions:next_changed()
    if not service then
      return
    elseif is_here(self, service) then
      local instances, left_out = self.sessions:instances(service)
      heard(self, service, service:update(instances, since, left_out))
    end
  end
end

-- Publishes what is known, for the requests that wait. The sums over a thousand
-- services take their time, and so do the last views: then the next turn begins
-- with the sums.
local function publish(self)
  if not self.journal:is_wanted() then
    return false
  end
  local function is_tired() return self:is_tired() end
  self.has_views = self.has_views or self.journal:make_views(is_tired)
  if not self.has_views or is_tired() then
    return self.has_views
  end
  self.has_views = false
  self.view = view_of(self)
  self.is_ready = self.is_ready or #self.view.unread == 0
  self.journal:publish()
  return false
end

-- What a turn does, in this order. A turn that has lasted long enough leaves
-- the rest to the next one. So it takes as long as its longest step, not as
-- long as all of them. A step that returns true is the first of the next turn.
local STEPS = {take_all, obey, apply, update, tick, review, round, keep,
  publish}

--- Gives an order to the next turn. It is not carried out at once, because
-- HAProxy interrupts Lua: a command may come in the middle of a turn.
-- @tparam string what "resync", "freeze", "thaw", "operate", "see",
--   "count_sessions", "pause", "release" or "configure"
-- @tparam ?any argument see there
-- @treturn table with `said` once it is carried out: what the method of that
--   name returned
function agent:order(what, argument)
  local order = {what = what, argument = argument}
  table.insert(self.orders, order)
  self.client:wake()
  return order
end

--- Asks the main task to publish what it knows. It is published once
-- `journal.published` is at least what this returns.
-- @treturn integer
function agent:ask()
  local number = self.journal:ask()
  self.client:wake()
  return number
end

--- Applies no more changes of the configuration until `configure` gives new
-- ones, see `changes:pause`.
-- @treturn boolean true
function agent:pause()
  self.changes:pause()
  if self.found then
    self.found:dropped()
  end
  return true
end

--- Goes on with what is served, see `changes:release`.
-- @treturn boolean true
function agent:release()
  self.changes:release()
  return true
end

--- Applies changes of the configuration, see `changes:take`.
-- @tparam {change,...} list
-- @treturn boolean true
function agent:configure(list)
  self.changes:take(list)
  return true
end

--- Reads everything from ZooKeeper again, and HAProxy's state.
-- @tparam ?string name of a service; nil: of all services
-- @treturn string what is done, for people
function agent:resync(name)
  local services = name and {self.by_name[name]} or self.services
  for _, each in ipairs(services) do
    for _, source in ipairs(self.sessions:of(each)) do
      source:connected(false)
    end
    self.sync:compare(each)
  end
  if self.found and not name then
    self.found:resync()
  end
  return "reading " .. plural(#services, "service") .. " again"
end

--- Leaves a service as it is, see `service:freeze`.
-- @tparam string name of the service
-- @treturn string what is done, for people
function agent:freeze(name)
  local service = self.by_name[name]
  if not service or service.is_leaving then
    return name .. " leaves, as its configuration says"
  end
  service:freeze()
  self.journal:report_frozen(service, "following", "frozen")
  self.deps.log:warning("%s: frozen by command", service.name)
  return service.name .. " is frozen until `synapse thaw " .. service.name ..
    "` or a reload"
end

--- Lets a frozen service follow ZooKeeper again.
-- @tparam string name of the service
-- @treturn string what is done, for people
function agent:thaw(name)
  local service = self.by_name[name]
  if not service or not service.frozen_at then
    return name .. " is not frozen"
  end
  changed(self, service, service:thaw())
  self.journal:report_frozen(service, "frozen", "following")
  self.sync:mark(service)
  self.deps.log:warning("%s: thawed by command", service.name)
  return service.name .. " follows ZooKeeper again"
end

--- Does what an operator ordered for an instance, in each service that has it.
-- @tparam table order `key` of the instance; `state`: "maint", "drain" or
--   "ready"; `reason`; `seconds`, see `service:operate`
-- @treturn {service,...} the services that have it
function agent:operate(order)
  local services = {}
  for _, service in ipairs(self.services) do
    if service:operate(order.key, order.state, order.reason, order.seconds)
    then
      services[#services + 1] = service
      self.sync:mark(service)
      self.output:changed(service)
      self.ordered[service] = true
    end
  end
  self.keeper:changed_by_hand()
  return services
end

--- Tells whether the snapshot has what an operator ordered, so that a reload
-- keeps it, or will never have it.
-- @treturn boolean
function agent:is_saved()
  return self.keeper:is_saved()
end

--- Takes events and does what they make necessary, for some milliseconds. It
-- never sleeps: if a task of HAProxy 2.6 sleeps while its socket has data,
-- HAProxy spins, and ends itself if that socket is closed as well.
-- @treturn boolean whether there may be more to do now
function agent:turn()
  self.turned_at = self.deps.now()
  self.run, self.longest_run = {}, 0
  look_at_clock(self, self.turned_at)
  if self.turned_at < self.broken_until then
    return false
  end
  local first = self.step
  for step = first, #STEPS do
    local goes_on = STEPS[step](self)
    if self.stopped then
      return false
    end
    self.step = goes_on and step or step % #STEPS + 1
    if self:is_tired() then
      return true
    end
  end
  return first > 1
end

--- Starts again after an error in the agent's own code: everything is read and
-- compared again, after a pause.
function agent:recover()
  self.broken_until = self.deps.now() + RETRY
  self:pause()
  self.live:distrust()
  for _, service in ipairs(self.services) do
    service:recover()
  end
  self.sync:restart()
  self.sessions:restart()
end

--- Notes that HAProxy is stopping: the next worker has taken over.
function agent:stop()
  self.stopped = true
  self.keeper:stop()
  self.output:stop()
end

--- Ends the sessions.
function agent:close()
  self.sessions:close()
end

return agent
