--- Reads `services`.
--
-- Pure, but for the function that resolves the names of default servers.
--
-- @module synapse.config.service

local backend = require("synapse.config.backend")
local default_servers = require("synapse.config.default_servers")
local discovery = require("synapse.config.discovery")
local keys = require("synapse.keys")
local value = require("synapse.config.value")

local service = {}

--- One service.
-- @table service
-- @tfield string name
-- @tfield boolean disabled
-- @tfield string backend the name of HAProxy's backend
-- @tfield string hosts   of the ensemble: "zk1:2181,zk2:2181", sorted
-- @tfield string path    of the znode whose children are the instances
-- @tfield {instance,...} default_servers
-- @tfield boolean use_previous_backends
-- @tfield boolean use_nerve_weights
-- @tfield integer max_instances
-- @tfield ?options server_options what slots are added with
-- @tfield ?string fixed why none can be

local function merge(made, part)
  for field, one in pairs(part) do
    made[field] = one
  end
end

local function read_one(report, name, section, context)
  local place = "services." .. name
  local object = value.object(report, section, place)
  value.keys(report, object, place, keys.SERVICE, "services.*")
  local made = {
    name = name,
    default_servers = default_servers.read(report, object.default_servers,
      place .. ".default_servers", context.resolve),
    use_previous_backends = value.boolean(report,
      object.use_previous_backends, place .. ".use_previous_backends", true),
    max_instances = value.number(report, object.max_instances,
      place .. ".max_instances",
      {integer = true, low = 1, high = 100000, default = 1000}),
  }
  merge(made, backend.read(report, object.haproxy, place .. ".haproxy",
    {name = name, use_nerve_weights = context.use_nerve_weights}))
  merge(made, discovery.read(report, object.discovery,
    place .. ".discovery"))
  return made
end

--- Reads all services.
-- @tparam report report
-- @param section  its value
-- @tparam table context `resolve`: turns "name:port" into "address:port,..."
--   or nil; `use_nerve_weights` of those that do not say
-- @treturn {service,...} those that are not disabled, sorted by name
function service.read(report, section, context)
  local services, by_backend, names = {}, {}, {}
  local objects = value.object(report, section, "services")
  for name in pairs(objects) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local one = read_one(report, name, objects[name], context)
    local other = by_backend[one.backend or false]
    if not one.disabled then
      services[#services + 1] = one
      by_backend[one.backend or false] = one.backend and name
    end
    if other and not one.disabled then
      value.wrong(report, "services." .. name .. ".haproxy.backend_name",
        "%s is already filled by services.%s", value.shown(one.backend), other)
    end
  end
  return services
end

return service
