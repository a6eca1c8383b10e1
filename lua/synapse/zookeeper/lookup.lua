--- The addresses of the host names in the configuration: the servers of
-- ensembles, and default servers.
--
-- They are looked up at load, where libc knows every source of names, within a
-- limited time. For a name that is not found then, the last known addresses are
-- used, from the snapshot.
--
-- The worker looks names up too, by /etc/hosts and DNS: the servers of
-- ensembles each minute and when a connection is lost, a default server until
-- it is found, and names without an address after growing delays.
--
-- @module synapse.zookeeper.lookup

local address = require("synapse.instances.address")
local named_server = require("synapse.instances.named_server")

local lookup = {}
lookup.__index = lookup

--- How many seconds the names may take at load, all of them together.
lookup.AT_LOAD = 5

local EVERY = 60
local AWAY = 10 -- while the ensemble is out of reach
local PAUSE = 1 -- between two questions at least
local LOST = 120 -- an answer that did not come until then
local BACKOFF, MOST_BACKOFF = 1, 30

-- Tells whether each of these servers is an address, which needs no lookup.
local function is_numeric(hosts)
  for server in hosts:gmatch("[^,]+") do
    local host = server:match("^%[?(.-)%]?:%d+$")
    local _, why = address.canonical(host or "")
    if not host or why == "is not an IP address" then
      return false
    end
  end
  return true
end

local function add(self, hosts)
  local entry = self.by_hosts[hosts]
  if not entry then
    entry = {hosts = hosts, is_numeric = is_numeric(hosts), servers = {},
      sources = 0, missing = nil, request = nil, asked_at = 0, due = math.huge,
      backoff = BACKOFF}
    self.by_hosts[hosts] = entry
    table.insert(self.list, entry)
  end
  return entry
end

--- Adds an ensemble.
-- @tparam string hosts of its servers
function lookup:add_ensemble(hosts)
  local entry = add(self, hosts)
  entry.is_ensemble, entry.sources = true, entry.sources + 1
end

local function add_service(self, service)
  for _, source in ipairs(service.sources) do
    self:add_ensemble(source.hosts)
  end
  for _, server in ipairs(service.named_servers) do
    table.insert(add(self, server.hosts).servers,
      {service = service, server = server})
  end
end

--- Returns what there is to look up for services.
-- @tparam {service,...} services as they are configured
-- @tparam log log
-- @treturn lookup
function lookup.new(services, log)
  local self = setmetatable({
    by_hosts = {}, list = {}, requests = {}, log = log,
  }, lookup)
  for _, service in ipairs(services) do
    add_service(self, service)
  end
  return self
end

-- Gives the addresses of a name to the default servers with that name. Returns
-- the services in which an address has changed.
local function place_servers(self, entry)
  local services = {}
  for _, use in ipairs(entry.servers) do
    local is_other, why =
      named_server.place(use.server, use.service, entry.addresses)
    if why then
      self.log:error("%s: %s", use.server.place, why)
    elseif is_other then
      services[#services + 1] = use.service
    end
  end
  return services
end

local function in_order(addresses)
  local list = {}
  for server in addresses:gmatch("[^,]+") do
    list[#list + 1] = server
  end
  table.sort(list)
  return table.concat(list, ",")
end

-- Logs once which names have no address, and what happens then.
local function report_missing(self, entry, missing, has_some)
  local before = entry.missing
  entry.missing = missing
  if missing and missing ~= before then
    self.log:warning("%s: %s; %s", entry.hosts, missing,
      has_some and "the others are used" or
      entry.addresses and "the last known addresses are used" or
      entry.is_ensemble and "asked for until it is found" or
      "left out until it is found")
  elseif before and not missing then
    self.log:info("%s: found: %s", entry.hosts, entry.addresses)
  end
end

--- Looks all names up, at load.
-- @tparam table deps `resolve` and `resolve_all` of the zookeeper module
-- @tparam {[string]=string} known the addresses of the last run, by hosts
function lookup:at_load(deps, known)
  local names = {}
  for _, entry in ipairs(self.list) do
    names[#names + 1] = not entry.is_numeric and entry.hosts or nil
  end
  local found, missing = {}, {}
  if #names > 0 then
    found, missing = deps.resolve_all(names, lookup.AT_LOAD)
  end
  for _, entry in ipairs(self.list) do
    local last = entry.is_numeric and entry.hosts or known[entry.hosts]
    entry.addresses = found[entry.hosts] or last and deps.resolve(last)
    report_missing(self, entry, missing[entry.hosts],
      found[entry.hosts] ~= nil)
    place_servers(self, entry)
  end
end

--- Returns the addresses of a list of servers, as far as they are known.
-- @tparam string hosts
-- @treturn ?string numeric
function lookup:addresses(hosts)
  return self.by_hosts[hosts].addresses
end

--- Returns which names of a list of servers have no address, and why.
-- @tparam string hosts
-- @treturn ?string
function lookup:missing(hosts)
  return self.by_hosts[hosts].missing
end

--- Returns the addresses that the snapshot keeps for the next run.
-- @treturn {[string]=string} addresses by hosts
function lookup:known()
  local known = {}
  for _, entry in ipairs(self.list) do
    if not entry.is_numeric then
      known[entry.hosts] = entry.addresses and in_order(entry.addresses)
    end
  end
  return known
end

-- Spreads the questions of a fleet over time.
local function later(self, seconds)
  return self.deps.now() + seconds * (1 + self.deps.random() / 4)
end

-- Sets when a name is looked up next.
local function put_off(self, entry)
  if entry.missing then
    entry.due = later(self, entry.backoff)
    entry.backoff = math.min(entry.backoff * 2, MOST_BACKOFF)
  else
    entry.backoff = BACKOFF
    entry.due = not entry.is_ensemble and math.huge or
      later(self, entry.is_away and AWAY or EVERY)
  end
end

--- Begins to look names up while HAProxy runs.
-- @tparam table deps
--   `ask(hosts)`: has it looked up, returns a request number, or nil and why
--   not; `moved(hosts, addresses)`: called when an ensemble has other
--   addresses; `filled(service)`: called when a service has another default
--   server; `resolve(hosts)`: the form in which addresses are used; `now()`;
--   `random()` in [0, 1)
function lookup:begin(deps)
  self.deps = deps
  for _, entry in ipairs(self.list) do
    if not entry.is_numeric then
      put_off(self, entry)
    end
  end
end

-- Looks a new name up at once, unless it is an address.
local function start(self, entry)
  if entry.is_numeric then
    entry.addresses = entry.addresses or self.deps.resolve(entry.hosts)
  elseif not entry.addresses and not entry.request then
    entry.due = self.deps.now()
  end
  place_servers(self, entry)
end

--- Begins to look up the names in another configuration of a service.
-- @tparam service service as it is configured now
function lookup:add(service)
  add_service(self, service)
  for _, source in ipairs(service.sources) do
    start(self, self.by_hosts[source.hosts])
  end
  for _, server in ipairs(service.named_servers) do
    start(self, self.by_hosts[server.hosts])
  end
end

-- Forgets a name that nobody uses any more.
local function drop_unused(self, entry)
  entry.is_ensemble = entry.sources > 0
  if entry.is_ensemble or #entry.servers > 0 then
    return
  end
  self.by_hosts[entry.hosts] = nil
  self.requests[entry.request or 0] = nil
  for i, each in ipairs(self.list) do
    if each == entry then
      table.remove(self.list, i)
      return
    end
  end
end

--- Ends the lookups of a configuration that is no longer used.
-- @tparam service service as it was configured
function lookup:remove(service)
  for _, source in ipairs(service.sources) do
    local entry = self.by_hosts[source.hosts]
    entry.sources = entry.sources - 1
    drop_unused(self, entry)
  end
  for _, server in ipairs(service.named_servers) do
    -- A service may name a server twice.
    local entry, kept = self.by_hosts[server.hosts], {}
    for _, use in ipairs(entry and entry.servers or {}) do
      kept[#kept + 1] = use.service ~= service and use or nil
    end
    if entry then
      entry.servers = kept
      drop_unused(self, entry)
    end
  end
end

local function ask(self, entry)
  local now = self.deps.now()
  local request, why = self.deps.ask(entry.hosts)
  entry.asked_at = now
  if request then
    self.requests[request], entry.request = entry, request
    entry.due = now + LOST
  else
    report_missing(self, entry, why, false)
    put_off(self, entry)
  end
end

--- Starts the lookups that are due.
function lookup:tick()
  local now = self.deps.now()
  for _, entry in ipairs(self.list) do
    if now >= entry.due then
      self.requests[entry.request or 0], entry.request = nil, nil
      ask(self, entry)
    end
  end
end

--- Notes that an ensemble is out of reach: its servers may have moved.
-- @tparam string hosts
function lookup:lost(hosts)
  local entry = self.by_hosts[hosts]
  entry.is_away = true
  if not entry.is_numeric and not entry.request then
    entry.due = math.min(entry.due,
      math.max(self.deps.now(), entry.asked_at + PAUSE))
  end
end

--- Notes that an ensemble is within reach.
-- @tparam string hosts
function lookup:reached(hosts)
  self.by_hosts[hosts].is_away = false
end

-- If some names have no answer, the other servers still have these addresses.
local function use(self, entry, addresses)
  local before = entry.addresses
  if before and in_order(before) == in_order(addresses) then
    return
  end
  entry.addresses = addresses
  if entry.is_ensemble then
    self.log:info("%s: the addresses are %s now", entry.hosts, addresses)
    self.deps.moved(entry.hosts, addresses)
  end
  for _, service in ipairs(place_servers(self, entry)) do
    self.deps.filled(service)
  end
end

--- Takes an `addresses` event.
-- @tparam table event
function lookup:take(event)
  local entry = self.requests[event.request]
  if not entry then
    return
  end
  self.requests[event.request], entry.request = nil, nil
  if event.addresses then
    use(self, entry, event.addresses)
  end
  report_missing(self, entry,
    event.missing or not event.addresses and "out of memory" or nil,
    event.addresses ~= nil)
  put_off(self, entry)
end

return lookup
