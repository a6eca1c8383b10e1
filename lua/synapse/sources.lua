--- Where the instances of all services come from.
--
-- Services of the same ensemble share its session, and services of the same
-- path of it share the reads.
--
-- @module synapse.sources

local ensemble = require("synapse.ensemble")
local registry = require("synapse.registry")

local sources = {}
sources.__index = sources

-- What makes two services share the reads.
local function place_of(config)
  return config.hosts .. config.path
end

local function known_znodes(readers)
  local known = {}
  for _, one in ipairs(readers) do
    for _, made in ipairs(one.choice.instances) do
      known[#known + 1] = made.znode and made or nil
    end
  end
  return known
end

local function most_instances(readers)
  local most = 0
  for _, one in ipairs(readers) do
    most = math.max(most, one.deps.config.max_instances)
  end
  return most
end

local function new_ensemble(deps, hosts)
  return ensemble.new({
    hosts = hosts, log = deps.log, now = deps.now, random = deps.random,
    resync_interval = deps.resync_interval,
    entered = function(from, to) deps.entered(hosts, from, to) end,
  })
end

local function add_registry(self, readers)
  local deps, config = self.deps, readers[1].deps.config
  local hosts = config.hosts
  local through = self.ensembles[hosts] or new_ensemble(deps, hosts)
  self.ensembles[hosts] = through
  local made
  made = registry.new({
    path = config.path, max_instances = most_instances(readers),
    known = known_znodes(readers), request = through:requester(),
    codes = deps.codes, now = deps.now, log = deps.log,
    changed = function(since)
      for _, one in ipairs(readers) do
        deps.changed(one, made:instances(), since)
      end
    end,
    reported = function(znode, problem)
      for _, one in ipairs(readers) do
        deps.reported(one, znode, problem)
      end
    end,
  })
  through:add(made)
end

--- Returns sources that have read nothing and have no session.
-- @tparam table deps
--   `services`; `changed(service, instances, since)`: called when the instances
--   of a service may have changed, `since` the first watch that told of it;
--   `reported(service, znode, problem)`: called when a znode turns bad, or good
--   again (nil); `entered(hosts, from, to)`: called when the state of a session
--   changes; `codes`; `now()`; `random()`; `log`;
--   `resync_interval`, see `ensemble.new`
-- @treturn sources
function sources.new(deps)
  local self = setmetatable({
    deps = deps, ensembles = {}, by_session = {},
  }, sources)
  local places, readers = {}, {}
  for _, one in ipairs(deps.services) do
    local place = place_of(one.deps.config)
    if not readers[place] then
      places[#places + 1] = place
      readers[place] = {}
    end
    table.insert(readers[place], one)
  end
  for _, place in ipairs(places) do
    add_registry(self, readers[place])
  end
  return self
end

--- Returns what a service is read from.
-- @tparam service one
-- @treturn {registry,...}
function sources:of(one)
  local config = one.deps.config
  return {self.ensembles[config.hosts].registries[config.path]}
end

--- Opens the sessions.
-- @tparam client client of the zookeeper module
-- @tparam {[string]=string} addresses numeric, by the hosts configured
-- @tparam number timeout seconds
function sources:open(client, addresses, timeout)
  for hosts, through in pairs(self.ensembles) do
    local session, why = nil, "its names do not resolve"
    if addresses[hosts] then
      session, why =
        client:open({hosts = addresses[hosts], timeout = timeout})
    end
    if session then
      through.session = session
      self.by_session[session] = through
    else
      self.deps.log:error("no session with %s: %s; its servers stay as they " ..
        "are", hosts, why)
    end
  end
end

--- Takes an event of a session, or an overflow of the queue.
-- @tparam table event as `client:poll()` returns it
-- @treturn boolean whether it was for a session
function sources:take(event)
  local through = self.by_session[event.session]
  if through then
    through:take(event)
  elseif event.type == "overflow" then
    for _, one in pairs(self.ensembles) do
      one:take(event)
    end
  end
  return through ~= nil
end

--- Does what time brings: delayed reads and retries.
function sources:tick()
  for _, through in pairs(self.ensembles) do
    through:tick()
  end
end

--- Tells whether HAProxy's worker may start threads, as far as the sessions
-- know.
-- @treturn boolean
function sources:has_threads()
  for _, through in pairs(self.ensembles) do
    if through.state == "no_threads" then
      return false
    end
  end
  return true
end

--- Tells whether any znode that is known has a host:port.
-- @tparam string key
-- @treturn boolean
function sources:has(key)
  for _, through in pairs(self.ensembles) do
    for _, source in pairs(through.registries) do
      if source:has(key) then
        return true
      end
    end
  end
  return false
end

--- Forgets what was asked and reads everything anew.
function sources:restart()
  for _, through in pairs(self.ensembles) do
    through:restart()
  end
end

--- Ends the sessions.
function sources:close()
  for session in pairs(self.by_session) do
    session:close()
  end
  self.by_session = {}
end

return sources
