--- A HAProxy for the fuzz: takes only lines of the grammar, does what they say,
-- and answers as 2.6 does, or worse when it is told to.
local grammar = dofile("tests/fuzz/grammar.lua")
local mutate = dofile("tests/fuzz/mutate.lua")

local haproxy = {}
haproxy.__index = haproxy

local HEADING = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state " ..
  "srv_admin_state srv_uweight srv_iweight\n"
local ROW = "3 %s %d %s %s %d %d %d %d 10 1 0 1 %d 0 0 0 %s %d - 0 0 - - 0\n"
local NOWHERE = "240.0.0.1"
local NAME_SLOTS = 48
local BACKUP_SLOTS = 2
local MAXCONN = 7
local ADMIN_BITS = {maint = 1, drain = 8, ready = 0}

local function empty(id, for_names, is_backup)
  return {id = id, host = for_names and NOWHERE or "127.0.0.1", port = 1,
    weight = 1, initial = 1, maxconn = MAXCONN, admin = "maint",
    for_names = for_names, is_backup = is_backup}
end

local function add_slots(self, name, count, prefix, first)
  for i = 1, count do
    local slot = prefix .. i
    table.insert(self.pools[name], slot)
    self.backends[name][slot] =
      empty(first + i, prefix == "n", prefix == "b")
  end
end

--- Returns a HAProxy with empty slots.
-- @tparam {service,...} services of the configuration
-- @tparam function count returns how many slots a service has
function haproxy.new(services, count)
  local self = setmetatable({backends = {}, pools = {}, options = {},
    requests = 0, changes = 0, stormy = false}, haproxy)
  for _, service in ipairs(services) do
    local name, options = service.backend, service.server_options
    self.backends[name], self.pools[name] = {}, {}
    self.options[name] = options and options.text
    add_slots(self, name, count(service), "s", 0)
    if service.prefer[1] then
      add_slots(self, name, count(service), "b", 2000)
    elseif mutate.once_in(2) then
      add_slots(self, name, BACKUP_SLOTS, "b", 2000)
    end
    add_slots(self, name, NAME_SLOTS, "n", 1000)
  end
  return self
end

-- A name server says what it likes, sooner or later.
local function resolve(self, server)
  if not server.fqdn or self.stormy and mutate.once_in(2) then
    return
  elseif self.stormy and mutate.once_in(4) then
    server.host = mutate.pick({"169.254.1.1", "-", "0.0.0.0", "ff02::1"})
  elseif not grammar.is_address(server.host) or mutate.once_in(20) then
    server.host = "10.3.0." .. math.random(1, 9)
  end
end

-- In a calm a check finds what it found before.
local function check(self, server)
  if self.stormy or not server.found then
    server.found = {state = math.random(0, 3),
      check = mutate.pick({6, 6, 6, 8, 14})}
  end
  return server.found
end

local function show(self, backend)
  local rows = {HEADING}
  for slot, server in pairs(self.backends[backend]) do
    resolve(self, server)
    local found = check(self, server)
    rows[#rows + 1] = ROW:format(backend, server.id, slot, server.host,
      found.state, ADMIN_BITS[server.admin] | 4, server.weight,
      server.initial, found.check, server.fqdn or "-", server.port)
  end
  return table.concat(rows)
end

-- The name of a server, and its errors without a connection.
local STAT = "# pxname,svname\nweb,%s" .. (","):rep(12) .. "%s" ..
  (","):rep(60) .. "\n"

local function stat()
  return mutate.pick({STAT:format("s1", math.random(0, 9)),
    STAT:format("s1", "-1e9"), STAT:format("\n", ""), ""})
end

local DO = {
  enable = function()
    return ""
  end,
  health = function(server)
    server.found = {state = 0, check = 6}
    return ""
  end,
  addr = function(server, command)
    assert(server.admin == "maint", "an address changes under traffic")
    if server.host == "-" then
      return "Update for the current server address family is only " ..
        "supported through configuration file\n"
    end
    assert(not server.for_names or command.host == NOWHERE or
      command.host == server.host, "an address in a slot for names")
    server.host, server.port = command.host, command.port
    return "IP changed from one to another by 'stats socket command'\n"
  end,
  fqdn = function(server, command)
    assert(server.for_names, "a name in a slot for addresses")
    if server.fqdn ~= command.fqdn and server.host ~= "-" then
      assert(server.host == NOWHERE or server.filled == server.host,
        "a name that is served from where another one was")
    end
    server.fqdn = command.fqdn
    return "web/n1 changed its FQDN from one to another by 'x'\n"
  end,
  weight = function(server, command)
    server.weight = command.weight or server.initial * command.percent // 100
    return ""
  end,
  maxconn = function(server, command)
    server.maxconn = command.maxconn
    return ""
  end,
  state = function(server, command)
    assert(command.admin == "maint" or server.host ~= NOWHERE,
      "traffic to nowhere")
    server.admin = command.admin
    return ""
  end,
}

-- An address or a weight may be refused by itself, but a server that cannot be
-- set to maint is none, whatever the line goes on with.
local function is_refused(self, command, missing)
  local place = command.backend .. "/" .. command.slot
  if self.stormy and mutate.once_in(12) then
    missing[place] = true
  end
  return missing[place] or
    self.stormy and command.kind ~= "state" and mutate.once_in(8)
end

local function add(self, command)
  local servers = self.backends[command.backend]
  for _, server in pairs(servers) do
    if server.id == command.id then
      return "This id is taken.\n"
    end
  end
  servers[command.slot] = empty(command.id, false, command.is_backup)
  return "New server registered.\n"
end

local function execute(self, command, missing)
  if command.kind == "show" then
    return show(self, command.backend)
  elseif command.kind == "stat" then
    return stat()
  elseif is_refused(self, command, missing) then
    return mutate.pick({"No such server.\n", "Invalid.\x1b[31m\nor so\n",
      "\0\n"})
  end
  self.changes = self.changes + 1
  if command.kind == "add" then
    return add(self, command)
  end
  local server = self.backends[command.backend][command.slot]
  return server and DO[command.kind](server, command) or "No such server.\n"
end

--- Takes a line.
-- @treturn table the event that answers it
function haproxy:take(line)
  self.requests = self.requests + 1
  local event = {type = "answer", request = self.requests}
  local answers, missing = {}, {}
  for i, command in ipairs(grammar.parse(line, self.backends, self.options)) do
    if self.stormy and mutate.once_in(40) then
      event.error = mutate.pick({"timed out", "closed\nat once"})
      return event
    end
    answers[i] = execute(self, command, missing) .. "\n"
  end
  event.data = table.concat(answers)
  if self.stormy and mutate.once_in(20) then
    event.data = event.data:sub(1, math.random(0, #event.data))
  end
  return event
end

--- Lists the servers that are in traffic, as {[host:port] = slot}.
function haproxy:ready(backend)
  local ready = {}
  for slot, server in pairs(self.backends[backend]) do
    if server.admin ~= "maint" then
      local host = server.fqdn or server.host
      local key = (host:find(":") and "[%s]:%d" or "%s:%d")
        :format(host, server.port)
      assert(not ready[key], "two slots have one instance")
      ready[key] = slot
    end
  end
  return ready
end

--- Returns what the agent wants of `synapse.haproxy.runtime`.
function haproxy:runtime()
  return {
    slots = function(backend)
      local declared = {}
      for slot, server in pairs(self.backends[backend]) do
        declared[slot] = {
          weight = server.initial, maxconn = server.maxconn,
          is_for_names = server.for_names, is_backup = server.is_backup,
        }
      end
      local pool = self.pools[backend]
      return table.move(pool, 1, #pool, 1, {}), declared
    end,
    sessions = function() return math.random(0, 1) end,
    wall = os.time,
    id = function() return 3 end,
    is_at = function() return nil end,
    active = function() return self.stormy and math.random(0, 3) or 0, 0 end,
    errors = function() return self.stormy and math.random(0, 3) or 0 end,
    empty = function() end,
    can = function() return {} end,
    fill = function(backend, slot, server)
      assert(grammar.is_address(server.host) and grammar.is_port(server.port))
      local target = self.backends[backend][slot]
      assert(math.type(server.weight) == "integer" and server.weight >= 0 and
        server.weight <= 256 and ADMIN_BITS[server.admin] and
        math.type(server.maxconn) == "integer")
      target.host, target.port = server.host, server.port
      target.filled = server.host
      target.weight, target.admin = server.weight, server.admin
      target.maxconn = server.maxconn
      return true
    end,
  }
end

return haproxy
