--- Reads `services`.
--
-- Pure, but for the function that resolves the names of default servers.
--
-- @module synapse.config.service

local bind = require("synapse.config.bind")
local default_servers = require("synapse.config.default_servers")
local discovery = require("synapse.config.discovery")
local policy = require("synapse.config.policy")
local schema = require("synapse.config.schema")
local server_options = require("synapse.config.server_options")
local value = require("synapse.config.value")

local service = {}

--- One service.
-- @table service
-- @tfield string name
-- @tfield string place   in the configuration, for messages
-- @tfield boolean disabled
-- @tfield string backend the name of HAProxy's backend
-- @tfield {source,...} sources see `config.source`; none: default servers alone
-- @tfield ?string resolver "union" or "sequential", where there are several
-- @tfield string path    what tells one set of sources from another
-- @tfield string read_as what makes instances of the znodes there
-- @tfield {instance,...} default_servers
-- @tfield boolean keep_default_servers
-- @tfield boolean use_previous_backends
-- @tfield boolean leader_election
-- @tfield boolean has_file whether its instances are written to a file
-- @tfield settings guard see `synapse.service.guard`
-- @tfield {preference,...} prefer see `synapse.service.prefer`
-- @tfield ?settings subset see `synapse.config.policy`
-- @tfield boolean use_nerve_weights
-- @tfield integer max_instances
-- @tfield string server_text the words of its servers
-- @tfield ?options server_options what slots are added with
-- @tfield ?string fixed why none can be
-- @tfield integer slots  of a backend that is generated
-- @tfield ?bind bind     where its frontend listens; nil: it has none
-- @tfield table lines    of haproxy.cfg: `frontend`, `backend`, `listen`,
--   `shared_frontend`, each a `{line,...}`

--- What holds where nothing is said; times in seconds.
service.GUARD = {window = 10, share = 0.5, hold = 60}

--- Reads the `guard` section of all services, or of one.
-- @tparam report report
-- @param section  its value
-- @tparam table fates of its keys, from `synapse.config.schema`
-- @tparam string place
-- @tparam settings default what holds for keys that are left out
-- @treturn settings see `synapse.service.guard`
function service.guard(report, section, fates, place, default)
  local object = value.object(report, section, place)
  value.keys(report, object, place, fates)
  local function number(key, low, high)
    return value.number(report, object[key], place .. "." .. key,
      {low = low, high = high, default = default[key]})
  end
  return {
    window = number("window", 0.1, 3600),
    share = number("share", 0, 1),
    hold = number("hold", 0, 86400),
  }
end

-- Reads the section `file_output` of a service.
-- @tparam report report
-- @param section its value
-- @tparam string place
-- @tparam string name of the service
-- @treturn boolean whether it gets a file
local function wants_file(report, section, place, name)
  local object = value.object(report, section, place)
  value.keys(report, object, place, schema.SERVICE_FILE_OUTPUT)
  local disabled = value.boolean(report, object.disabled,
    place .. ".disabled", false)
  if not disabled and (name:find("[/%c]") or name:find("^%.") or #name > 240)
  then
    value.warn(report, place, "%s.json is no name of a file, so there is none",
      name)
    return false
  end
  return not disabled
end

-- The lines of haproxy.cfg.
local function read_lines(report, object, place)
  local made = {}
  for _, name in ipairs({"frontend", "backend", "listen", "shared_frontend"})
  do
    made[name] = value.lines(report, object[name], place .. "." .. name)
  end
  return made
end

local NAME = "^[%w_.:-]+$"

-- Where there is a frontend it has the name of the service.
local function check_name(report, made, name, place)
  if made.bind and not name:find(NAME) then
    value.wrong(report, place, "%s is not the name of a frontend " ..
      "([A-Za-z0-9_.:-])", value.shown(name))
  end
end

-- Here null is not what it is elsewhere, so it is looked at in the section
-- itself.
local function port_of(section)
  if value.is_object(section) then
    return section.port
  end
end

-- Reads the section `haproxy` of a service.
-- @tparam report report
-- @param section  its value
-- @tparam string place
-- @tparam table defaults `name` of the service, `use_nerve_weights`,
--   `bind_address`
-- @treturn table the fields of a service that come from it
local function read_backend(report, section, place, defaults)
  local object = value.object(report, section, place)
  value.keys(report, object, place, schema.SERVICE_HAPROXY)
  local made = server_options.read(report, object.server_options,
    place .. ".server_options")
  made.disabled = value.boolean(report, object.disabled, place .. ".disabled",
    false)
  made.backend = value.string(report,
    value.either(object.backend_name, defaults.name), place .. ".backend_name",
    NAME, "the name of a backend ([A-Za-z0-9_.:-])")
  made.use_nerve_weights = value.boolean(report, object.use_nerve_weights,
    place .. ".use_nerve_weights", defaults.use_nerve_weights)
  made.slots = value.number(report, object.slots, place .. ".slots",
    {integer = true, low = 1, high = 10000, default = 16})
  made.bind = bind.read(report, object, port_of(section), place,
    defaults.bind_address)
  made.lines = read_lines(report, object, place)
  check_name(report, made, defaults.name, place:match("^(.*)%."))
  return made
end

local function merge(made, part)
  for field, one in pairs(part) do
    made[field] = one
  end
end

-- Two keys, of which the second is an older name.
local function read_port(report, object, haproxy, place)
  local key = "backend_port_override"
  local port = object[key]
  if port == nil and value.is_object(haproxy) then
    key = "haproxy.server_port_override"
    port = value.without_nulls(haproxy).server_port_override
  end
  if type(port) == "string" and port:find("^%d+$") then
    port = tonumber(port)
  end
  return value.number(report, port, place .. "." .. key,
    {integer = true, low = 1, high = 65535})
end

-- Without a source nothing was ever read: there is nothing to go back to.
local function without_sources(report, made)
  made.use_previous_backends = false
  if #made.default_servers == 0 then
    value.warn(report, made.place, "has the method \"base\" and no " ..
      "`default_servers`, so no instance")
  end
end

local function read_one(report, name, section, context)
  local file = context.files[name]
  local place = (file and file .. ": " or "") .. "services." .. name
  local object = value.object(report, section, place)
  value.keys(report, object, place, schema.SERVICE)
  local made = {
    name = name,
    place = place,
    default_servers = default_servers.read(report, object.default_servers,
      place .. ".default_servers", context.resolve),
    keep_default_servers = value.boolean(report,
      object.keep_default_servers, place .. ".keep_default_servers", false),
    use_previous_backends = value.boolean(report,
      object.use_previous_backends, place .. ".use_previous_backends", true),
    leader_election = value.boolean(report, object.leader_election,
      place .. ".leader_election", false),
    has_file = wants_file(report, object.file_output,
      place .. ".file_output", name),
    guard = service.guard(report, object.guard, schema.SERVICE_GUARD,
      place .. ".guard", context.guard),
    max_instances = value.number(report, object.max_instances,
      place .. ".max_instances",
      {integer = true, low = 1, high = 100000, default = 1000}),
  }
  merge(made, read_backend(report, object.haproxy, place .. ".haproxy", {
    name = name, use_nerve_weights = context.use_nerve_weights,
    bind_address = context.bind_address,
  }))
  merge(made, discovery.read(report, object, place, {
    read = context.read,
    port = read_port(report, object, object.haproxy, place),
  }))
  if #made.sources == 0 then
    without_sources(report, made)
  end
  made.prefer = policy.prefer(report, object.prefer, place .. ".prefer",
    context.environment)
  made.subset = policy.subset(report, object.subset, place .. ".subset",
    context)
  policy.check(report, made)
  return made
end

-- A backend has one service that fills it.
local function claim(report, one, by_backend)
  local other = by_backend[one.backend or false]
  if other then
    value.wrong(report, one.place .. ".haproxy.backend_name",
      "%s is already filled by services.%s", value.shown(one.backend), other)
  elseif one.backend then
    by_backend[one.backend] = one.name
  end
end

--- Reads all services.
-- @tparam report report
-- @tparam table objects the value of each by its name
-- @tparam table context `resolve`: turns "name:port" into "address:port,..."
--   or nil; `read(path)`: a file's text, or nil and why not;
--   `environment(name)` and `machine()`, see `config.policy`; `guard`,
--   `use_nerve_weights` and `bind_address` of those that do not say; `files`:
--   the path of the file by name, for those that have one of their own
-- @treturn {service,...} those that are not disabled, sorted by name
function service.read(report, objects, context)
  local services, by_backend, names = {}, {}, {}
  for name in pairs(objects) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local one = read_one(report, name, objects[name], context)
    if not one.disabled then
      services[#services + 1] = one
      claim(report, one, by_backend)
    end
  end
  return services
end

return service
