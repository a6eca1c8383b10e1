--- Fuzz of the trust boundary: whatever is in ZooKeeper, and in whatever order
-- it comes, every line for the runtime API is one of the grammar, no log line
-- holds a control character, no error is raised. And once all is calm, the good
-- instances serve, and nobody serves but who is wanted.
--
-- See `driver.lua` for the arguments.
local agent = require("synapse.agent")
local cjson = require("cjson.safe")
local config = require("synapse.config.init")
local logger = require("synapse.log")
local snapshot = require("synapse.snapshot.format")

local driver = dofile("tests/fuzz/driver.lua")
local haproxy = dofile("tests/fuzz/haproxy.lua")
local mutate = dofile("tests/fuzz/mutate.lua")
local new_clock = dofile("tests/fake/clock.lua")
local new_lookup = dofile("tests/fake/lookup.lua")
local tree = dofile("tests/fuzz/tree.lua")
local znodes = dofile("tests/fuzz/znodes.lua")

local CODES = {ok = 0, connection_loss = -4, no_node = -101,
  node_exists = -110}
local HOSTS = "zk:2181"
local PATHS = {"/services/web", "/services/api"}
local SLOTS, FEW_SLOTS = 24, 4
local MOST_CHILDREN = 20
local LEVELS = {alert = true, error = true, warning = true, info = true}

-- Long enough for whatever is tried again "later and later".
local CALM_SECONDS = 150

local function checksum(text, before)
  return string.format("%016x", #text + tonumber(before or "0", 16))
end

local function check_line(level, line)
  assert(LEVELS[level], "a level that is none")
  assert(#line < 1000, "a log line is too long")
  assert(not line:find("[^\32-\126]"), "a log line holds a control character")
end

-- What the configuration gives every slot.
local MAXCONN = 7

local FAMILIES = {"nerve", "nerve", "go-nerve", "serverset", "curator"}

local function new_discovery(path)
  return {
    method = mutate.pick({"zookeeper", "zookeeper_poll"}), hosts = {HOSTS},
    path = path, decode = {method = mutate.pick(FAMILIES)},
    create_path = mutate.once_in(2), polling_interval_sec = math.random(0, 2),
    discovery_jitter = math.random(0, 2),
  }
end

local ZONES = {"a", "b", "c"}

local function new_preference()
  return {label = "zone", value = mutate.pick(ZONES), least = math.random(4)}
end

-- The two of a list are never the same.
local function new_prefer()
  return mutate.pick({{}, new_preference(),
    {{label = "zone", value = "a"}, {label = "zone", value = "b",
      least = math.random(4)}}})
end

local function new_service(path)
  return {
    prefer = new_prefer(),
    subset = mutate.once_in(3) and
      {size = math.random(8), machine = "m" .. math.random(9)} or nil,
    discovery = new_discovery(path),
    haproxy = {
      use_nerve_weights = mutate.once_in(2),
      server_options = mutate.once_in(2) and "check maxconn 7" or nil,
    },
    default_servers = mutate.once_in(3) and {{host = "10.2.0.1", port = 80}}
      or nil,
    keep_default_servers = mutate.once_in(2),
    use_previous_backends = mutate.once_in(2),
    guard = {
      window = mutate.pick({0.1, 2, 10}), share = mutate.pick({0, 0.5}),
      hold = mutate.pick({0, 3, 60}),
    },
  }
end

-- Two paths have more instances than there are slots: these have to grow.
local function new_union()
  local one = new_service(PATHS[1])
  one.haproxy.server_options = "check maxconn 7"
  one.discovery_multi = {
    watchers = {other = new_discovery(PATHS[2])}, resolver = {method = "union"},
  }
  return one
end

local function new_services()
  local made, why = config.parse(cjson.encode({services = {
    web = new_service(PATHS[1]), ["web-2"] = new_union(),
    ["api.x:1"] = new_service(PATHS[2]),
  }}), {})
  return made and made.services or error(why[1])
end

local world = {}
world.__index = world

local function new_world()
  local clock = new_clock()
  local self = setmetatable({
    clock = clock, events = {}, good = {}, spoilt = {}, written = 0,
    lookups = 0,
    log = logger.new({write = check_line, now = clock.now}),
    services = new_services(),
  }, world)
  self.tree = tree.new(function(event) table.insert(self.events, event) end)
  for _, path in ipairs(PATHS) do
    self.tree:make(path)
    self.good[path] = {}
  end
  return self
end

local function new_client(self)
  return {
    open = function() return self.tree:open() end,
    poll = function() return table.remove(self.events, 1) end,
    tick = function() end,
    resolve = function()
      self.lookups = self.lookups + 1
      table.insert(self.events, {type = "addresses", request = self.lookups,
        addresses = mutate.pick({"10.0.0.5:2181", "10.0.0.6:2181", false})
          or nil})
      return self.lookups
    end,
    command = function(_, line)
      if self.haproxy.stormy and mutate.once_in(20) then
        return nil, "no memory"
      end
      local event = self.haproxy:take(line)
      table.insert(self.events, event)
      return event.request
    end,
  }
end

function world:connect(link)
  table.insert(self.events, {
    type = "session", session = self.tree.session, state = "connected",
    link = link, client_id = "0x1", timeout = 10,
  })
end

-- A good one whose data turned bad stays good for who has known it.
local function forget_spoilt(self)
  for _, path in ipairs(PATHS) do
    for name in pairs(self.good[path]) do
      if self.spoilt[path .. "/" .. name] then
        self.good[path][name] = nil
      end
    end
  end
  self.spoilt = {}
end

-- Begins a worker: with what the last one wrote, and with empty slots.
function world:start()
  self.haproxy = haproxy.new(self.services, function(service)
    return service.server_options and FEW_SLOTS or SLOTS
  end)
  self.events = {}
  forget_spoilt(self)
  self.agent = agent.new({
    config = {services = self.services, session_timeout = 10,
      resync_interval = 600},
    client = new_client(self), codes = CODES, checksum = checksum,
    records = self.text and assert(snapshot.decode(self.text, checksum)) or {},
    restored = {}, snapshot_path = "/state",
    lookup = new_lookup(self.services,
      {[HOSTS] = "10.0.0.5:2181"}),
    runtime = self.haproxy:runtime(),
    write_snapshot = function(text)
      self.text, self.written = text, self.written + 1
      table.insert(self.events, {type = "job", code = 0,
        request = self.written})
      return self.written
    end,
    now = self.clock.now, thread_time = os.clock, random = math.random,
    log = self.log,
  })
  self.agent:fill()
  self.agent:open()
  self:connect("new_session")
end

function world:run(seconds, step)
  for _ = 1, seconds / step do
    self.clock.pass(step)
    self.agent:turn()
  end
end

local function has_room(self, path)
  return self.tree.paths[path] and #self.tree:names(path) < MOST_CHILDREN
end

local function reads(service, path)
  for _, source in ipairs(service.deps.config.sources) do
    if source.path == path then
      return true
    end
  end
  return false
end

local function wants(service, name)
  for _, made in ipairs(service.wanted.all) do
    if made.znode == name then
      return true
    end
  end
  return false
end

-- Tells whether all who read a path know an instance by this name.
local function is_known(self, path, name)
  for _, one in ipairs(self.agent.services) do
    if reads(one, path) and not wants(one, name) then
      return false
    end
  end
  return true
end

-- Returns a child of a path that is not a good one, if there is any.
local function a_bad_one(self, path)
  local names = {}
  for _, name in ipairs(self.tree:names(path)) do
    names[#names + 1] = not self.good[path][name] and name or nil
  end
  return #names > 0 and mutate.pick(names) or nil
end

-- Good in every family.
local GOOD = '{"host":"%s","port":80,"address":"%s",' ..
  '"serviceEndpoint":{"host":"%s","port":80},"labels":{"zone":"%s"}}'

local function add_good(self, path)
  for _ = 1, math.random(10) do
    local host = "10.1." .. math.random(0, 255) .. "." .. math.random(0, 255)
    local name = string.format("good-%s_%010d", host, math.random(0, 999))
    if has_room(self, path) then
      self.good[path][name] = host .. ":80"
      self.tree:put(path, name, GOOD:format(host, host, host,
        mutate.pick(ZONES)))
    end
  end
end

local STEPS = {
  function(self, path)
    for _ = 1, math.random(6) do
      local name = znodes.name()
      if has_room(self, path) and not self.good[path][name] then
        self.tree:put(path, name, znodes.data())
      end
    end
  end,
  function(self, path)
    local name = a_bad_one(self, path)
    if name then
      self.tree:put(path, name, znodes.data())
    end
  end,
  function(self, path)
    local name = a_bad_one(self, path)
    if name then
      self.tree:delete(path, name)
    end
  end,
  add_good,
  function(self, path)
    for _, name in ipairs(self.tree:names(path)) do
      if self.good[path][name] and mutate.once_in(3) then
        self.good[path][name] = nil
        return self.tree:delete(path, name)
      end
    end
  end,
  function(self, path)
    for _, name in ipairs(self.tree:names(path)) do
      if self.good[path][name] and is_known(self, path, name) then
        self.spoilt[path .. "/" .. name] = true
        return self.tree:put(path, name, mutate.bytes(9))
      end
    end
  end,
  function(self, path)
    local name = mutate.pick(self.tree:names(path))
    self.tree.broken[name and path .. "/" .. name or path] =
      mutate.pick({-102, -4, -7})
  end,
  function(self, path)
    self.tree.broken[path] = mutate.pick({-102, -4, -7})
  end,
  function(self, path)
    if mutate.once_in(4) then
      self.tree:remove(path)
      self.good[path] = {}
    end
  end,
  function(self, path)
    self.tree:make(path)
  end,
  function(self)
    table.insert(self.events, {type = "session", session = self.tree.session,
      state = mutate.pick({"connecting", "unknown", "expired"})})
    self:connect(mutate.pick({"same_handle", "new_handle", "new_session"}))
  end,
  function(self)
    table.insert(self.events, {type = "overflow"})
    table.insert(self.events, {type = "log", message = mutate.bytes(30)})
  end,
  function(self)
    self.haproxy.stormy = not self.haproxy.stormy
  end,
  function(self)
    self:start()
  end,
}

local function calm_down(self)
  self.haproxy.stormy = false
  self.tree.broken = {}
  for _, path in ipairs(PATHS) do
    self.tree:make(path)
  end
  self:run(CALM_SECONDS, 2)
  local changes = self.haproxy.changes
  self:run(40, 2)
  assert(self.haproxy.changes == changes, "it never comes to rest")
end

-- Who asks for it has a maxconn of its own, and is a backup where any can be.
local function check_server(self, one, made, slot)
  local servers = self.haproxy.backends[one.backend]
  assert(servers[slot].maxconn == (made.maxconn or MAXCONN),
    "a maxconn of somebody else")
  local is_to_be = servers.b1 and made.is_backup and not made.is_name
  assert((servers[slot].is_backup or false) == (is_to_be or false),
    "a backup is none, or another is one")
end

-- A good instance serves or has a reason why not, and one that serves is
-- wanted.
local function check_servers(self)
  for _, one in ipairs(self.agent.services) do
    local ready, wanted = self.haproxy:ready(one.backend), {}
    for _, made in ipairs(one.wanted.serving) do
      wanted[made.key] = true
      assert(ready[made.key], made.key .. " is wanted and does not serve")
      check_server(self, one, made, ready[made.key])
    end
    for key in pairs(ready) do
      assert(wanted[key], key .. " serves and is not wanted")
    end
    for _, source in ipairs(one.deps.config.sources) do
      for name, key in pairs(self.good[source.path]) do
        assert(ready[key] or one.wanted.policy.reasons[key],
          name .. " is good and does not serve")
      end
    end
  end
end

driver.run("boundary", function()
  local self = new_world()
  add_good(self, PATHS[1])
  self:start()
  for _ = 1, math.random(5, 25) do
    mutate.pick(STEPS)(self, mutate.pick(PATHS))
    self:run(mutate.pick({0.05, 0.3, 2}), 0.05)
  end
  calm_down(self)
  check_servers(self)
end)
