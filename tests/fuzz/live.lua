--- Fuzz of the live configuration: whatever files come one after the other,
-- while instances and found services come and go and HAProxy is reloaded, no
-- error is raised, and a file with a mistake changes nothing. Once all is calm,
-- each service is as the last good file has it, but for what is said to need a
-- reload; and each blank backend is free or has one service, which is reached
-- as it should be.
--
-- See `driver.lua` for the arguments.
local add_backend = require("synapse.haproxy.add_backend")
local agent = require("synapse.agent")
local blank = require("synapse.haproxy.blank")
local config = require("synapse.config.init")
local config_check = require("synapse.haproxy.config_check")
local config_text = require("synapse.haproxy.config_text")
local found = require("synapse.found")
local generate = require("synapse.generate.init")
local live = require("synapse.config.live")
local logger = require("synapse.log")
local snapshot = require("synapse.snapshot.format")
local spare = require("synapse.spare")

local configurations = dofile("tests/fuzz/configurations.lua")
local driver = dofile("tests/fuzz/driver.lua")
local haproxy = dofile("tests/fuzz/haproxy.lua")
local mutate = dofile("tests/fuzz/mutate.lua")
local new_clock = dofile("tests/fake/clock.lua")
local new_lookup = dofile("tests/fake/lookup.lua")
local tree = dofile("tests/fuzz/tree.lua")

local CODES = {ok = 0, connection_loss = -4, no_node = -101,
  node_exists = -110}
local FILE, HOSTS, ADDRESSES = "/synapse.conf.json", "zk:2181", "10.0.0.5:2181"
local ROUTES, CHECKS = "SYNAPSE_ROUTES", "SYNAPSE_CHECKS"
local SLOTS = 4
local MOST_CHILDREN = 8
-- Longer than the guard and all that is tried again "later and later".
local CALM_SECONDS = 150
local OURS = {admin = "/admin", servers = "SYNAPSE_SERVERS"}

local function checksum(text, before)
  return string.format("%016x", #text + tonumber(before or "0", 16))
end

local EDGES = {
  list = function() return {} end, read = function() return nil, "no" end,
  environment = function() return nil end, machine = function() return "m" end,
}

-- Returns haproxy.cfg as HAProxy accepts it: a frontend has no line of a check.
local function text_of(settings)
  local lines = {}
  for _, section in ipairs((generate.sections(settings,
    {config = FILE, agent = "/synapse.lua"})))
  do
    lines[#lines + 1] = section.title.text
    for _, line in ipairs(section.lines) do
      local is_unfit = section.title.text:find("^frontend") and
        line.text:find("^option httpchk") or line.text:find("^balance")
      lines[#lines + 1] = not is_unfit and line.text or nil
    end
  end
  return table.concat(lines, "\n")
end

local world = {}
world.__index = world

-- HAProxy's configuration is made of the first file, and stays.
local function new_world()
  local clock = new_clock()
  local self = setmetatable({clock = clock, events = {}, files = {},
    all = configurations.first(), requests = 0, lines = {}, records = {},
  }, world)
  self.log = logger.new({now = clock.now, write = function(_, line)
    table.insert(self.lines, line)
  end})
  self.tree = tree.new(function(event) table.insert(self.events, event) end)
  for _, path in ipairs(configurations.PATHS) do
    self.tree:make(path)
  end
  self.tree:make(configurations.FOUND)
  self:write(configurations.encode(self.all))
  local settings = assert(self:parse())
  self.sections = config_text.parse(
    {{path = "haproxy.cfg", text = text_of(settings)}},
    {environment = {}, version = "2.6.12", loaded = {
      [ROUTES] = ROUTES, [CHECKS] = CHECKS, SYNAPSE_ADMIN = OURS.admin,
      SYNAPSE_SERVERS = OURS.servers}})
  assert(self:start(), self.lines[#self.lines])
  return self
end

function world:write(text)
  self.files[FILE] = text
end

function world:parse()
  return config.parse(self.files[FILE], EDGES)
end

local function new_disk(self)
  return {
    open = function() end, remote = function() return nil end,
    list = function() return {} end,
    read = function(_, path)
      return self.files[path], "No such file or directory"
    end,
    stamp = function(_, path)
      return self.files[path] and "#" .. self.files[path] or 0
    end,
  }
end

-- As main.lua.
local function find_backend(self, made, service)
  if made.spares:has(service.backend) then
    return "is blank"
  elseif service.found then
    return config_check.backend(self.sections, service.backend) and
      "is there" or made.spares:reserve(service)
  elseif not config_check.backend(self.sections, service.backend) then
    return made.spares:reserve(service)
  end
  return nil
end

local function objection(self, made, service)
  local why = find_backend(self, made, service)
  if why then
    return why
  end
  local verdict = config_check.of_service(self.sections, service, OURS)
  why = verdict.errors[1] or not service.blank and
    not made.agent.changes:has_slots(service.backend) and "has no slots"
  if why then
    made.spares:give_up(service)
  end
  return why or nil
end

-- What HAProxy's configuration has no backend for keeps HAProxy from loading.
local function is_served(self, made)
  made.spares:expect(made.settings.services)
  for _, service in ipairs(made.settings.services) do
    if find_backend(self, made, service) or
      config_check.of_service(self.sections, service, OURS).errors[1]
    then
      return false
    end
  end
  return true
end

local function add_found(self, made)
  local settings, taken = made.settings, {}
  if not settings.found then
    return
  end
  made.found = found.new(settings.found, {log = self.log, now = self.clock.now,
    is_checked = function(service)
      return config_check.is_checked(self.sections, service.blank)
    end,
    objection = function(service) return objection(self, made, service) end})
  for _, service in ipairs(settings.services) do
    taken[service.name] = true
  end
  local services = made.found:load(made.records, taken)
  table.move(services, 1, #services, #settings.services + 1, settings.services)
  table.sort(settings.services, function(a, b) return a.name < b.name end)
end

local function new_live(self, made)
  local one = live.new({
    path = FILE, disk = new_disk(self), secrets = {}, log = self.log,
    follow = function() return true end, agent = function() return made.agent
    end, now = self.clock.now,
    objection = function(service) return objection(self, made, service) end,
    expect = function(services, stays)
      made.spares:expect(services, stays)
    end,
    -- The agent's turns come while a file is read.
    turn = function()
      if mutate.once_in(3) then
        self:turn()
      end
    end,
    await = function(condition)
      for _ = 1, 1000 do
        if condition() then
          return
        end
        self:turn()
      end
    end,
    hurry = function() end,
  })
  one:loaded(made.settings)
  return one
end

-- Returns a HAProxy with the backends of its configuration.
local function new_haproxy(self)
  local services = {}
  for _, section in ipairs(self.sections) do
    local slots = section.kind == "backend" and
      config_text.find(section, "server-template")
    if slots then
      services[#services + 1] = {backend = section.name, prefer = {},
        server_options = {text = "check"}}
    end
  end
  return haproxy.new(services, function() return SLOTS end)
end

local function maps_of(spares)
  local maps, routes, checks = {}, spares:maps()
  for name, text in pairs({[ROUTES] = routes, [CHECKS] = checks}) do
    maps[name] = {}
    for key, value in text:gmatch("(%S+) (%S+)\n") do
      maps[name][key] = value
    end
  end
  return maps
end

-- HAProxy answers for the table of a blank backend, which is empty now.
local function answer(self, made, line)
  local name = line:match("^clear table (%S+);show table$")
  if not name then
    local event = made.haproxy:take(line)
    event.request = event.request + 1000000
    return event
  end
  self.requests = self.requests + 1
  local used = self.is_busy and mutate.once_in(2) and 1 or 0
  return {type = "answer", request = self.requests, data = string.format(
    "\n# table: %s, type: ip, size:1024, used:%d\n\n", name, used)}
end

local function new_client(self, made)
  local nobody = {close = function() end, set_hosts = function() end,
    room = function() return 0 end}
  for _, op in ipairs({"get", "get_children", "exists", "create"}) do
    nobody[op] = function() return nil, "not connected", -9 end
  end
  return {
    open = function(_, asked)
      return asked.hosts == ADDRESSES and self.tree:open() or nobody
    end,
    poll = function() return table.remove(self.events, 1) end,
    tick = function() end, wake = function() end,
    resolve = function()
      self.requests = self.requests + 1
      return self.requests
    end,
    command = function(_, line)
      local event = answer(self, made, line)
      table.insert(self.events, event)
      return event.request
    end,
  }
end

local function runtime_of(self, made)
  local runtime = made.haproxy:runtime()
  runtime.sessions = function()
    return self.is_busy and math.random(0, 1) or 0
  end
  runtime.counters = function() return {errors = 0} end
  return runtime
end

local function unused_slots(runtime, made)
  local unused, is_filled = {}, {}
  for _, service in ipairs(made.settings.services) do
    is_filled[service.blank or service.backend] = true
  end
  for backend in pairs(made.haproxy.backends) do
    if not is_filled[backend] then
      local pool, declared = runtime.slots(backend)
      unused[backend] = {pool = pool, declared = declared}
    end
  end
  return unused
end

local function begin_spares(self, made)
  made.maps = maps_of(made.spares)
  made.spares:begin({
    log = self.log, now = self.clock.now, routes = ROUTES, checks = CHECKS,
    set_map = function(map, key, value) made.maps[map][key] = value end,
    del_map = function(map, key) made.maps[map][key] = nil end,
    sessions = function() return self.is_busy and math.random(0, 1) or 0 end,
    send = function(line) return made.client:command(line) end,
    own = add_backend.new({can = false, now = self.clock.now, log = self.log}),
    freed = function()
      made.live:distrust()
      if made.found then
        made.found:again()
      end
    end,
  })
end

local function new_agent(self, made)
  made.haproxy = new_haproxy(self)
  made.client = new_client(self, made)
  local runtime = runtime_of(self, made)
  begin_spares(self, made)
  return agent.new({
    config = made.settings, client = made.client, codes = CODES,
    checksum = checksum, records = made.records, restored = {},
    snapshot_path = "/state", lookup = made.lookup, runtime = runtime,
    unused = unused_slots(runtime, made), live = made.live,
    spare = made.spares, found = made.found,
    resolve = function() return nil end,
    write_snapshot = function(text)
      self.text, self.requests = text, self.requests + 1
      table.insert(self.events, {type = "job", code = 0,
        request = self.requests})
      return self.requests
    end,
    now = self.clock.now, thread_time = os.clock, random = math.random,
    log = self.log,
  })
end

-- Loads HAProxy, or loads it again. Returns whether it does with this file.
function world:start()
  local made = {settings = self:parse(), records = self.text and
    assert(snapshot.decode(self.text, checksum)) or {}}
  made.spares = spare.new(blank.find(self.sections, ROUTES), {log = self.log})
  if not made.settings or not is_served(self, made) then
    return false
  end
  made.live = new_live(self, made)
  add_found(self, made)
  made.lookup = new_lookup(made.settings.services, {[HOSTS] = ADDRESSES},
    made.settings.found and made.settings.found.source.hosts)
  made.spares:load(made.settings.services, made.records)
  self.events = {}
  made.agent = new_agent(self, made)
  self.made = made
  made.agent:fill()
  made.agent:open()
  made.live:begin()
  self:connect("new_session")
  return true
end

function world:connect(link)
  if self.tree.session then
    table.insert(self.events, {type = "session", session = self.tree.session,
      state = "connected", link = link, client_id = "0x1", timeout = 10})
  end
end

function world:turn()
  self.clock.pass(mutate.pick({0, 0.01, 0.3}))
  self.made.agent:turn()
end

function world:run(seconds, step)
  for _ = 1, seconds / step do
    self.clock.pass(step)
    self.made.agent:turn()
    self.made.live:turn()
  end
end

-- Returns which services of the file there are, and which table each
-- configuration is.
local function shown(made)
  local names = {}
  for _, each in ipairs(made.agent.changes:configured()) do
    names[#names + 1] = not each.found and each.name .. tostring(each) or nil
  end
  return table.concat(names, " ")
end

-- Has the file read, by a command or because it has changed.
local function read(self)
  local one, before = self.made.live, shown(self.made)
  local is_quiet = self.made.agent.changes:are_done()
  if mutate.once_in(2) then
    one:ask()
    one:turn()
    assert(one.answered == one.asked, "there is no answer")
  else
    for _ = 1, 3 do
      self.clock.pass(1)
      one:turn()
    end
  end
  assert(not is_quiet or #one.errors == 0 or shown(self.made) == before,
    "a wrong file changes something")
  assert(self:parse() or #one.errors > 0, "a wrong file is not told of")
end

local function a_place(self)
  local path = mutate.pick(configurations.PATHS)
  return self.tree.paths[path] and path, self.tree:names(path)
end

local function remove_found(self, name)
  local path = configurations.FOUND .. "/" .. name
  self.tree:remove(path .. "/services")
  if self.tree.paths[configurations.FOUND][name] then
    self.tree:delete(configurations.FOUND, name)
  end
end

local function change(self)
  local all = configurations.change(self.all)
  self:write(configurations.encode(all))
  if self:parse() then
    self.all = all
  end
  read(self)
end

local STEPS = {
  change, change, change,
  function(self)
    self:write(configurations.spoil(self.all))
    read(self)
  end,
  function(self)
    self:write(configurations.encode(self.all))
    read(self)
  end,
  function(self)
    local path, names = a_place(self)
    if path and #names < MOST_CHILDREN then
      self.tree:put(path, "i_" .. math.random(9), string.format(
        '{"host":"10.1.0.%d","port":80,"labels":{"zone":"%s"}}',
        math.random(9), mutate.pick({"a", "b"})))
    end
  end,
  function(self)
    local path, names = a_place(self)
    if names[1] then
      self.tree:delete(path, mutate.pick(names))
    end
  end,
  function(self)
    local name = mutate.pick({"f1", "f2", "f3", "F1", "other", "f 4"})
    self.tree:put(configurations.FOUND, name, mutate.pick({"", "x",
      '{"port":4000}', '{"port":4001}', '{"port":9}', '{"port":"x"}'}))
    self.tree:make(configurations.FOUND .. "/" .. name .. "/services")
  end,
  function(self)
    remove_found(self, mutate.pick({"f1", "f2", "f3", "F1"}))
  end,
  function(self)
    table.insert(self.events, {type = "session", session = self.tree.session,
      state = mutate.pick({"connecting", "expired"})})
    self:connect(mutate.pick({"same_handle", "new_handle", "new_session"}))
  end,
  function(self) self.is_busy = not self.is_busy end,
  function(self) self:start() end,
  function(self)
    if mutate.once_in(5) then
      self.made.agent:recover()
    end
  end,
}

-- Reads the last good file, and waits until nothing changes any more.
local function calm_down(self)
  self.is_busy = false
  self:run(1, 0.25)
  self:connect("new_session")
  self:write(configurations.encode(self.all))
  self:run(CALM_SECONDS, 2)
  self.made.live:ask()
  self:run(CALM_SECONDS, 2)
  assert(#self.made.live.errors == 0, "a good file is said to be wrong")
  local changes = self.made.haproxy.changes
  self:run(20, 2)
  assert(self.made.haproxy.changes == changes, "it never comes to rest")
end

-- Where it is in the file, and what HAProxy's configuration says of it.
local BESIDE = {place = true, blank = true, has_fixed_weights = true,
  shares_connections = true}

local function is_same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b
  end
  for key, value in pairs(a) do
    if not BESIDE[key] and not is_same(value, b[key]) then
      return false, key
    end
  end
  for key in pairs(b) do
    if a[key] == nil and not BESIDE[key] then
      return false, key
    end
  end
  return true
end

local function needs_of(self)
  local needs = {}
  for _, line in ipairs(self.made.live.needs) do
    needs[line:match("^([^:]*): ") or line] = line
  end
  return needs
end

-- Each service is as the file says, or what differs is said to need a reload.
local function check_services(self)
  local needs, is_in_file = needs_of(self), {}
  for _, wanted in ipairs(self:parse().services) do
    local one = self.made.agent.by_name[wanted.name]
    is_in_file[wanted.name] = true
    local ok, key = one ~= nil, nil
    if ok then
      ok, key = is_same(one.deps.config, wanted)
    end
    assert(ok or needs[wanted.name], string.format("%s is not as the file " ..
      "says: %s", wanted.name, key or "it is not there"))
  end
  for _, one in ipairs(self.made.agent.services) do
    assert(is_in_file[one.name] or one.deps.config.found,
      one.name .. " is not in the file")
    assert(not one.is_leaving, one.name .. " never leaves")
  end
end

-- Each child of an allowed name is served, or there is a reason. HAProxy may
-- have loaded another path.
local function check_found(self)
  local made = self.made
  if not made.found or needs_of(self).discover then
    return
  end
  local told, children = {}, self.tree.paths[configurations.FOUND]
  for _, refused in ipairs(made.found:view().refused) do
    told[refused.name] = refused.why
  end
  for name in pairs(children) do
    local one = made.agent.by_name[name]
    local is_found = one and one.deps.config.found
    assert(is_found or told[name] or not name:find("^f"),
      name .. " is not served, and nobody says why")
    assert(not is_found or name:find("^f"), name .. " is not allowed")
    assert(not is_found or told[name] or one.deps.config.host_name ==
      name:lower() .. ".service", "a service has another's host name")
  end
  for _, one in ipairs(made.agent.services) do
    assert(not one.deps.config.found or children[one.name],
      one.name .. " is gone, and is served")
  end
end

-- Each backend has one service, and each blank one without a service is free.
local function check_blanks(self)
  local tenants, used, made = {}, 0, self.made
  local routes = {}
  for _, one in ipairs(made.agent.services) do
    local each = one.deps.config
    assert(not tenants[one.backend], "two services in " .. one.backend)
    tenants[one.backend] = one.name
    assert(one.backend == (each.blank or each.backend), "another backend")
    assert(made.spares:backend_of(one.name) == each.blank, "a lost backend")
    if each.blank then
      used = used + 1
      routes[each.bind and each.bind.text or 0] = each.blank
      routes[each.host_name or 0] = each.blank
    end
  end
  routes[0] = nil
  assert(is_same(routes, made.maps[ROUTES]), "another way to a service")
  for _, counts in ipairs(made.spares:counts()) do
    used = used - counts.used
    assert(counts.resting == 0 and counts.free + counts.used == counts.all,
      counts.name .. " has lost a blank backend")
  end
  assert(used == 0, "a service has no backend, or a backend no service")
  for name, one in pairs(made.spares.blanks) do
    assert(one.state == (tenants[name] and "used" or "free"),
      name .. " is " .. one.state)
  end
end

-- Those that are wanted serve, and nobody else, also in backends without a
-- service.
local function check_servers(self)
  local wanted = {}
  for _, one in ipairs(self.made.agent.services) do
    wanted[one.backend] = {}
    for _, each in ipairs(one.wanted.serving) do
      wanted[one.backend][each.key] = one:obstacle(each.key) == nil
    end
  end
  for backend in pairs(self.made.haproxy.backends) do
    local ready = self.made.haproxy:ready(backend)
    for key in pairs(ready) do
      assert((wanted[backend] or {})[key] ~= nil, key .. " serves in " ..
        backend .. " and is not wanted")
    end
    for key, may in pairs(wanted[backend] or {}) do
      assert(ready[key] or not may, key .. " does not serve in " .. backend)
    end
  end
end

local function check_log(self)
  for _, line in ipairs(self.lines) do
    assert(not line:find("error in", 1, true), line)
  end
end

-- A reload of HAProxy with the same file changes no blank backend, unless it
-- serves what waited for it.
local function check_reload(self)
  local before = {}
  if self.made.live.needs[1] then
    return
  end
  for _, one in ipairs(self.made.agent.services) do
    before[one.name] = one.backend
  end
  if self:start() then
    for name, backend in pairs(before) do
      local one = self.made.agent.by_name[name]
      assert(one and one.backend == backend, name .. " is elsewhere")
    end
  end
end

driver.run("live", function()
  local self = new_world()
  for _ = 1, math.random(5, 50) do
    mutate.pick(STEPS)(self)
    self:run(mutate.pick({0, 0, 0.25, 1, 5}), 0.25)
  end
  calm_down(self)
  check_services(self)
  check_found(self)
  check_blanks(self)
  check_servers(self)
  check_log(self)
  check_reload(self)
end)
