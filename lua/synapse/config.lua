--- Checks a synapse.conf.json and fills in the defaults.
--
-- Pure: the text comes in, and so does the function that resolves the names
-- of default servers. All mistakes are found in one run; each names its place
-- and what would be right.
--
-- @module synapse.config

local cjson = require("cjson.safe")
local instance = require("synapse.instance")
local keys = require("synapse.keys")
local options = require("synapse.options")

local config = {}

local json = cjson.new()
json.decode_invalid_numbers(false)
json.decode_max_depth(32)

--- What the agent does.
-- @table config
-- @tfield {service,...} services sorted by name
-- @tfield number session_timeout seconds
-- @tfield ?string state_file_path of the snapshot

--- One service.
-- @table service
-- @tfield string name
-- @tfield string backend the name of HAProxy's backend
-- @tfield string hosts   of the ensemble: "zk1:2181,zk2:2181", sorted
-- @tfield string path    of the znode whose children are the instances
-- @tfield {instance,...} default_servers
-- @tfield boolean use_previous_backends
-- @tfield boolean use_nerve_weights
-- @tfield integer max_instances
-- @tfield ?options server_options what slots are added with
-- @tfield ?string fixed why none can be

-- Collects what is found: `errors`, `warnings`, and the ignored keys.
local function new_report()
  return {errors = {}, warnings = {}, ignored = {}}
end

local function wrong(report, place, format, ...)
  table.insert(report.errors, place .. ": " .. string.format(format, ...))
end

local function shown(value)
  if type(value) == "table" then
    return next(value) == nil and "an empty list or object" or
      #value > 0 and "a list" or "an object"
  elseif type(value) == "string" then
    return '"' .. value .. '"'
  elseif type(value) == "number" then
    return string.format("%.14g", value)
  end
  return tostring(value)
end

-- A copy without nulls: a key set to null is a key left out.
local function without_nulls(object)
  local copy = {}
  for key, value in pairs(object) do
    if value ~= cjson.null then
      copy[key] = value
    end
  end
  return copy
end

local function is_object(value)
  return type(value) == "table" and #value == 0
end

local function read_object(report, value, place)
  if value == nil then
    return {}
  elseif not is_object(value) then
    wrong(report, place, "%s is not an object", shown(value))
    return {}
  end
  return without_nulls(value)
end

local function value_or(value, other)
  if value == nil then
    return other
  end
  return value
end

local function read_keys(report, object, place, fates, generic)
  local sorted = keys.sort(object, fates)
  local prefix = place == "" and "" or place .. "."
  for _, key in ipairs(sorted.unknown) do
    table.insert(report.warnings, prefix .. key .. ": unknown key, ignored")
  end
  for _, refused in ipairs(sorted.refused) do
    wrong(report, prefix .. refused[1], "%s", refused[2])
  end
  for _, key in ipairs(sorted.ignored) do
    report.ignored[(generic and generic .. "." or prefix) .. key] = true
  end
end

local function read_boolean(report, value, place, default)
  if value == nil then
    return default
  elseif type(value) ~= "boolean" then
    wrong(report, place, "%s is neither true nor false", shown(value))
  end
  return value
end

local function read_number(report, value, place, range)
  if value == nil then
    return range.default
  end
  local number = type(value) == "number" and value
  if number and range.integer then
    number = math.tointeger(number)
  end
  if not number or number < range.low or number > range.high then
    wrong(report, place, "%s is not %s from %d to %d", shown(value),
      range.integer and "an integer" or "a number", range.low, range.high)
  end
  return number
end

local function read_string(report, value, place, pattern, what)
  if type(value) == "string" and value:find(pattern) then
    return value
  elseif value == nil then
    wrong(report, place, "is missing; it must be %s", what)
  else
    wrong(report, place, "%s is not %s", shown(value), what)
  end
  return nil
end

local function read_path(report, value, place)
  local what = 'a path such as "/services/web"'
  local path = read_string(report, value, place, "^/", what)
  if path and path ~= "/" and
    ((path .. "/"):find("//", 1, true) or (path .. "/"):find("/%.%.?/") or
      path:find("[\0-\31\127]"))
  then
    wrong(report, place, "%s is not %s", shown(path), what)
  end
  return path
end

local function read_hosts(report, value, place)
  local what = 'a list of "host:port"'
  if type(value) ~= "table" or #value == 0 then
    wrong(report, place, value == nil and "is missing; it must be %s" or
      "is not %s", what)
    return nil
  end
  local hosts = {}
  for i, host in ipairs(value) do
    hosts[i] = read_string(report, host, string.format("%s[%d]", place, i - 1),
      "^[^%s,/]+:%d+$", '"host:port"') or ""
  end
  table.sort(hosts)
  return table.concat(hosts, ",")
end

local function read_discovery(report, value, place)
  local discovery = read_object(report, value, place)
  read_keys(report, discovery, place, keys.DISCOVERY, "services.*.discovery")
  local method = read_string(report, discovery.method, place .. ".method",
    "^zookeeper$", '"zookeeper", the only method supported')
  local decode = read_object(report, discovery.decode, place .. ".decode")
  if decode.method ~= nil and decode.method ~= "nerve" then
    wrong(report, place .. ".decode.method", '%s is not "nerve", the only ' ..
      "decoder supported", shown(decode.method))
  end
  if not method then
    return nil, nil
  end
  return read_hosts(report, discovery.hosts, place .. ".hosts"),
    read_path(report, discovery.path, place .. ".path")
end

-- Samples say "localhost" here, so that names are allowed: they come from the
-- configuration, not from ZooKeeper.
local function is_name(host)
  return type(host) == "string" and host:find("^[%w.-]*%a[%w.-]*$") ~= nil
end

local function resolve_host(host, resolve)
  local addresses = {}
  for text in (resolve(host .. ":1") or ""):gmatch("[^,]+") do
    addresses[#addresses + 1] = text:match("^%[?(.-)%]?:1$")
  end
  table.sort(addresses)
  return addresses[1]
end

local function read_default_server(report, value, place, resolve)
  local fields = is_object(value) and without_nulls(value) or value
  if is_object(fields) and is_name(fields.host) then
    local found = resolve_host(fields.host, resolve)
    if not found then
      wrong(report, place, "host: %s does not resolve to an address",
        shown(fields.host))
      return nil
    end
    fields.host = found
  end
  local made, problems = instance.check(fields)
  if not made then
    wrong(report, place, "%s", problems)
    return nil
  end
  for _, problem in ipairs(problems) do
    table.insert(report.warnings, place .. "." .. problem)
  end
  return made
end

local function read_default_servers(report, value, place, resolve)
  local servers = {}
  if value ~= nil and (type(value) ~= "table" or
    next(value) ~= nil and #value == 0)
  then
    wrong(report, place, "%s is not a list", shown(value))
    return servers
  end
  for i, fields in ipairs(value or {}) do
    servers[#servers + 1] = read_default_server(report, fields,
      string.format("%s[%d]", place, i - 1), resolve)
  end
  return servers
end

-- Options that were written for a configuration still serve: only the slots
-- cannot grow.
local function read_options(report, value, place)
  if value == nil then
    return nil, "server_options is not set"
  elseif type(value) ~= "string" then
    wrong(report, place, "%s is not a string", shown(value))
    return nil, nil
  end
  local made, why = options.parse(value)
  if not made then
    table.insert(report.warnings, string.format(
      "%s: %s; no slots can be added", place, why))
    return nil, "server_options: " .. why
  end
  return made, nil
end

local function read_service(report, name, value, context)
  local place = "services." .. name
  local object = read_object(report, value, place)
  read_keys(report, object, place, keys.SERVICE, "services.*")
  local haproxy = read_object(report, object.haproxy, place .. ".haproxy")
  read_keys(report, haproxy, place .. ".haproxy", keys.SERVICE_HAPROXY,
    "services.*.haproxy")
  local hosts, path = read_discovery(report, object.discovery,
    place .. ".discovery")
  local server_options, fixed = read_options(report, haproxy.server_options,
    place .. ".haproxy.server_options")
  return {
    name = name,
    disabled = read_boolean(report, haproxy.disabled,
      place .. ".haproxy.disabled", false),
    backend = read_string(report, value_or(haproxy.backend_name, name),
      place .. ".haproxy.backend_name", "^[%w_.:-]+$",
      "the name of a backend ([A-Za-z0-9_.:-])"),
    hosts = hosts,
    path = path,
    default_servers = read_default_servers(report, object.default_servers,
      place .. ".default_servers", context.resolve),
    use_previous_backends = read_boolean(report, object.use_previous_backends,
      place .. ".use_previous_backends", true),
    use_nerve_weights = read_boolean(report, haproxy.use_nerve_weights,
      place .. ".haproxy.use_nerve_weights", context.use_nerve_weights),
    max_instances = read_number(report, object.max_instances,
      place .. ".max_instances",
      {integer = true, low = 1, high = 100000, default = 1000}),
    server_options = server_options,
    fixed = fixed,
  }
end

local function read_services(report, value, context)
  local services, by_backend, names = {}, {}, {}
  local objects = read_object(report, value, "services")
  for name in pairs(objects) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local service = read_service(report, name, objects[name], context)
    local other = by_backend[service.backend or false]
    if not service.disabled then
      services[#services + 1] = service
      by_backend[service.backend or false] = service.backend and name
    end
    if other and not service.disabled then
      wrong(report, "services." .. name .. ".haproxy.backend_name",
        "%s is already filled by services.%s", shown(service.backend), other)
    end
  end
  return services
end

local function ignored_line(report)
  local places = {}
  for place in pairs(report.ignored) do
    places[#places + 1] = place
  end
  if #places == 0 then
    return
  end
  table.sort(places)
  table.insert(report.warnings, "keys that are not needed inside HAProxy " ..
    "are ignored: " .. table.concat(places, ", "))
end

-- cjson counts characters; people count lines.
local function syntax_error(text, message)
  local what, at = message:match("^(.*) at character (%d+)$")
  if not at then
    return message
  end
  local before = text:sub(1, tonumber(at) - 1)
  local _, lines = before:gsub("\n", "")
  return string.format("line %d, column %d: %s", lines + 1,
    #before:match("[^\n]*$") + 1, what)
end

local function read_top(report, value, resolve)
  local top = read_object(report, value, "the file")
  read_keys(report, top, "", keys.TOP)
  local haproxy = read_object(report, top.haproxy, "haproxy")
  read_keys(report, haproxy, "haproxy", keys.HAPROXY)
  local path = haproxy.state_file_path
  return {
    state_file_path = path ~= nil and read_string(report, path,
      "haproxy.state_file_path", "[^/]$", 'the path of a file') or nil,
    session_timeout = read_number(report, top.session_timeout,
      "session_timeout", {low = 1, high = 3600, default = 10}),
    services = read_services(report, top.services, {
      resolve = resolve,
      use_nerve_weights = read_boolean(report, haproxy.use_nerve_weights,
        "haproxy.use_nerve_weights", false),
    }),
  }
end

--- Reads a configuration.
-- @tparam string text JSON
-- @tparam function resolve turns "name:port" into "address:port,..." or nil
-- @treturn config
-- @treturn {string,...} warnings
-- @treturn[2] nil
-- @treturn[2] {string,...} all mistakes, each with its place
function config.parse(text, resolve)
  local value, message = json.decode(text)
  if value == nil then
    return nil, {syntax_error(text, message)}
  end
  local report = new_report()
  local made = read_top(report, value, resolve)
  if #report.errors > 0 then
    return nil, report.errors
  end
  ignored_line(report)
  return made, report.warnings
end

return config
