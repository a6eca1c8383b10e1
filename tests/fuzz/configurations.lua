--- Random configurations: of services that come, go and change, with and
-- without mistakes.
local cjson = require("cjson.safe")

local mutate = dofile("tests/fuzz/mutate.lua")

local configurations = {}

local HOSTS = {"zk:2181"}
local FOUND = "/found"
local OWN = {"o1", "o2"}
local NEW = {"a", "b", "c", "f1", "f2"}
local NAMES = {"o1", "o2", table.unpack(NEW)}
local PATHS = {"/p1", "/p2", FOUND .. "/f1/services"}
local URIS = {"/up", "/ready"}
-- The last of each kind is none of its ports.
local WEB = {4000, 4001, 4002, 4003, 4000, 4001, 4002, 4999}
local RAW = {4100, 4101, 4100, 4101, 4999}

configurations.FOUND, configurations.PATHS = FOUND, PATHS

local function new_lines(is_raw)
  local lines = {is_raw and "mode tcp" or
    "option httpchk GET " .. mutate.pick(URIS)}
  lines[2] = mutate.once_in(20) and "balance source" or nil
  return lines
end

-- A service with a backend of its own has a port of its own.
local function new_port(name, is_raw)
  local own = name:find("^o") and not mutate.once_in(8) and 5000 + name:byte(2)
  return not mutate.once_in(20) and
    (own or mutate.pick(is_raw and RAW or WEB)) or nil
end

-- Returns what of HAProxy a service needs; most of it fits a blank backend.
local function new_haproxy(name)
  local is_raw = not name:find("^o") and mutate.once_in(4)
  return {
    port = new_port(name, is_raw),
    slots = mutate.once_in(20) and 9 or 4,
    server_options = mutate.once_in(20) and "check inter 9s" or "check",
    listen = new_lines(is_raw),
    use_nerve_weights = mutate.once_in(4) or nil,
    disabled = mutate.once_in(20) or nil,
    backend_name = mutate.once_in(15) and mutate.pick({"o1", "o2", "other",
      "spare-web-1"}) or nil,
  }
end

local function new_discovery()
  return {
    method = "zookeeper", hosts = HOSTS, path = mutate.pick(PATHS),
    discovery_jitter = mutate.once_in(6) and 1 or nil,
    label_filters = mutate.once_in(6) and {{label = "zone", value = "a",
      condition = "equals"}} or nil,
  }
end

local function new_service(name)
  return {
    discovery = new_discovery(), haproxy = new_haproxy(name),
    default_servers = mutate.once_in(4) and
      {{host = "10.2.0." .. math.random(3), port = 80}} or nil,
    keep_default_servers = mutate.once_in(6) or nil,
    use_previous_backends = not mutate.once_in(3),
    leader_election = mutate.once_in(8) or nil,
    max_instances = mutate.once_in(8) and math.random(3) or nil,
    backend_port_override = mutate.once_in(8) and math.random(90, 92) or nil,
    prefer = mutate.once_in(8) and {label = "zone", value = "a"} or nil,
    subset = mutate.once_in(8) and {size = 2, machine = "m"} or nil,
    guard = {hold = mutate.pick({0, 2}), window = mutate.pick({0.1, 10})},
  }
end

local function new_discover()
  return {
    hosts = HOSTS, path = FOUND, allow = {"f*"}, spare = "web", port = 8080,
    max_services = mutate.pick({1, 3, 100}),
    service = {guard = {hold = mutate.pick({0, 2})},
      haproxy = mutate.once_in(4) and {port = mutate.pick(WEB)} or nil},
  }
end

-- The first services have backends of their own.
local function first_service(name)
  local service = new_service(name)
  service.haproxy.disabled, service.haproxy.backend_name = nil, nil
  service.haproxy.port = 5000 + name:byte(2)
  service.prefer = nil
  return service
end

--- Returns a configuration without a mistake, of which a haproxy.cfg is made.
-- @treturn table to be encoded
function configurations.first()
  local services = {}
  for _, name in ipairs(OWN) do
    services[name] = first_service(name)
  end
  return {
    services = services, discover = mutate.pick({new_discover(), false}) or nil,
    haproxy = {
      defaults = {"mode http"},
      spare = {
        web = {backends = math.random(4), slots = 4, ports = "4000-4003",
          server_options = "check", backend = {"option httpchk GET /up",
            mutate.once_in(2) and "stick-table type ip size 1k" or nil}},
        raw = {mode = "tcp", backends = math.random(2), slots = 4,
          ports = "4100-4101", server_options = "check"},
      },
    },
  }
end

local KEYS = {"discovery", "haproxy", "default_servers", "subset", "prefer",
  "keep_default_servers", "use_previous_backends", "leader_election", "guard",
  "max_instances", "backend_port_override"}

local CHANGES = {
  function(services)
    local name = mutate.pick(NAMES)
    services[name] = new_service(name)
  end,
  function(services)
    services[mutate.pick(NAMES)] = nil
  end,
  function(services)
    local name, other = mutate.pick(NEW), mutate.pick(NEW)
    services[name], services[other] = services[other], services[name]
  end,
  -- One or two keys of a service.
  function(services)
    local name = mutate.pick(NAMES)
    local other = new_service(name)
    for _, key in ipairs(services[name] and KEYS or {}) do
      if mutate.once_in(4) then
        services[name][key] = other[key]
      end
    end
  end,
}

local OTHER_KEYS = {
  function(all) all.discover = new_discover() end,
  function(all) all.discover = nil end,
  function(all) all.haproxy.spare.web.backends = math.random(4) end,
  function(all) all.session_timeout = math.random(5, 9) end,
  function(all) all.guard = {hold = math.random(3)} end,
  function(all) all.haproxy.use_nerve_weights = true end,
}

--- Encodes a value, always in the same order: the seed alone decides what a
-- fuzz does.
-- @param value
-- @treturn string JSON
function configurations.encode(value)
  if type(value) ~= "table" then
    return cjson.encode(value) or "1e400"
  end
  local names, parts = {}, {}
  for name in pairs(value) do
    names[#names + 1] = name
  end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  local is_list = math.type(names[1]) == "integer"
  for i, name in ipairs(names) do
    parts[i] = (is_list and "" or cjson.encode(tostring(name)) .. ":") ..
      configurations.encode(value[name])
  end
  local text = table.concat(parts, ",")
  return is_list and "[" .. text .. "]" or "{" .. text .. "}"
end

local function copy(value)
  return cjson.decode(configurations.encode(value))
end

--- Changes a configuration at some places.
-- @tparam table before
-- @treturn table another one, most often without a mistake
function configurations.change(before)
  local all = copy(before)
  for _ = 1, math.random(4) do
    mutate.pick(CHANGES)(all.services)
  end
  if mutate.once_in(6) then
    mutate.pick(OTHER_KEYS)(all)
  end
  return all
end

--- Returns the text of a configuration, most often with a mistake.
-- @tparam table all
-- @treturn string
function configurations.spoil(all)
  if mutate.once_in(3) then
    return mutate.text(configurations.encode(all))
  end
  local spoilt = copy(all)
  mutate.document(spoilt, cjson.decode)
  return configurations.encode(spoilt)
end

return configurations
