--- Reads `services`.
--
-- Pure, but for what reads files and the environment.
--
-- @module synapse.config.service

local bind = require("synapse.config.bind")
local default_servers = require("synapse.config.default_servers")
local discovery = require("synapse.config.discovery")
local policy = require("synapse.config.policy")
local schema = require("synapse.config.schema")
local server_options = require("synapse.config.server_options")
local value = require("synapse.config.value")

local services = {}

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
-- @tfield {instance,...} default_servers those whose address is known
-- @tfield {named_server,...} named_servers the others
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

--- Reads the `guard` section of all services, or of one.
-- @tparam report report
-- @param given its value
-- @tparam section of its keys, from `synapse.config.schema`
-- @tparam string place
-- @tparam ?settings defaults what holds for keys that are left out
-- @treturn settings see `synapse.service.guard`
function services.guard(report, given, of, place, defaults)
  return (value.section(report, given, place, of, defaults))
end

-- Tells whether a service gets a file.
local function wants_file(report, given, place, name)
  local fields = value.section(report, given, place, schema.SERVICE_FILE_OUTPUT)
  if not fields.disabled and (name:find("[/%c]") or name:find("^%.") or
    #name > 240)
  then
    value.warn(report, place, "%s.json is no name of a file, so there is none",
      name)
    return false
  end
  return not fields.disabled
end

local NAME = "^[%w_.:-]+$"

-- Where there is a frontend it has the name of the service.
local function check_name(report, backend, name, place)
  if backend.bind and not name:find(NAME) then
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
  local fields, object = value.section(report, section, place,
    schema.SERVICE_HAPROXY, {backend_name = defaults.name,
      use_nerve_weights = defaults.use_nerve_weights})
  local backend = server_options.read(report, object.server_options,
    place .. ".server_options")
  backend.backend = fields.backend_name
  backend.disabled, backend.slots = fields.disabled, fields.slots
  backend.use_nerve_weights = fields.use_nerve_weights
  backend.bind = bind.read(report, object, port_of(section), place,
    defaults.bind_address)
  backend.lines = {
    frontend = fields.frontend, backend = fields.backend,
    listen = fields.listen, shared_frontend = fields.shared_frontend,
  }
  check_name(report, backend, defaults.name, place:match("^(.*)%."))
  return backend
end

local function merge(service, part)
  for field, given in pairs(part) do
    service[field] = given
  end
end

-- `server_port_override` is an older name of `backend_port_override`.
local function read_port(report, port, haproxy, place)
  if port ~= nil or not value.is_object(haproxy) then
    return port
  end
  local row = schema.SERVICE.by_key.backend_port_override
  return value.number(report, value.without_nulls(haproxy).server_port_override,
    place .. ".haproxy.server_port_override",
    {integer = true, low = row.low, high = row.high})
end

-- Without a source nothing was ever read: there is nothing to go back to.
local function without_sources(report, service)
  service.use_previous_backends = false
  if #service.default_servers + #service.named_servers == 0 then
    value.warn(report, service.place, "has the method \"base\" and no " ..
      "`default_servers`, so no instance")
  end
end

--- Reads one service.
-- @tparam report report
-- @tparam string name
-- @param section its value
-- @tparam table context as of `services.read`; `place` of the service in the
--   configuration, where it is not that of `services`
-- @treturn service
function services.one(report, name, section, context)
  local file = context.files[name]
  local place = context.place or
    (file and file .. ": " or "") .. "services." .. name
  local fields, object = value.section(report, section, place, schema.SERVICE)
  local service = {
    name = name,
    place = place,
    keep_default_servers = fields.keep_default_servers,
    use_previous_backends = fields.use_previous_backends,
    leader_election = fields.leader_election,
    max_instances = fields.max_instances,
    has_file = wants_file(report, object.file_output,
      place .. ".file_output", name),
    guard = services.guard(report, object.guard, schema.SERVICE_GUARD,
      place .. ".guard", context.guard),
  }
  service.default_servers, service.named_servers = default_servers.read(report,
    object.default_servers, place .. ".default_servers")
  merge(service, read_backend(report, object.haproxy, place .. ".haproxy", {
    name = name, use_nerve_weights = context.use_nerve_weights,
    bind_address = context.bind_address,
  }))
  merge(service, discovery.read(report, object, place, {
    read = context.secret,
    port = read_port(report, fields.backend_port_override, object.haproxy,
      place),
  }))
  if #service.sources == 0 then
    without_sources(report, service)
  end
  service.prefer = policy.prefer(report, object.prefer, place .. ".prefer",
    context.environment)
  service.subset = policy.subset(report, object.subset, place .. ".subset",
    context)
  policy.check(report, service)
  return service
end

--- Reads where a frontend listens that is not a service's.
-- @tparam report report
-- @tparam table object the section, without nulls
-- @tparam string place
-- @tparam string address to listen on where the section has none
-- @treturn ?bind nil where there is no port
function services.bind(report, object, place, address)
  return bind.read(report, object, object.port, place, address)
end

-- A backend has one service that fills it.
local function claim(report, service, by_backend)
  local other = by_backend[service.backend or false]
  if other then
    value.wrong(report, service.place .. ".haproxy.backend_name",
      "%s is already filled by services.%s", value.shown(service.backend),
      other)
  elseif service.backend then
    by_backend[service.backend] = service.name
  end
end

--- Reads all services.
-- @tparam report report
-- @tparam table objects the value of each by its name
-- @tparam table context `secret(path)`, see `config.parse`; `turn()`;
--   `environment(name)` and `machine()`, see `config.policy`; `guard`,
--   `use_nerve_weights` and `bind_address` of those that do not say; `files`:
--   the path of the file by name, for those that have one of their own
-- @treturn {service,...} those that are not disabled, sorted by name
function services.read(report, objects, context)
  local list, by_backend, names = {}, {}, {}
  for name in pairs(objects) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    context.turn()
    local service = services.one(report, name, objects[name], context)
    if not service.disabled then
      list[#list + 1] = service
      claim(report, service, by_backend)
    end
  end
  return list
end

return services
