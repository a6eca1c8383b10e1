--- Reads `services.*.haproxy`: the backend of a service.
--
-- Pure.
--
-- @module synapse.config.backend

local keys = require("synapse.keys")
local options = require("synapse.options")
local value = require("synapse.config.value")

local backend = {}

-- Options that were written for a configuration still serve: only the slots
-- cannot grow.
local function read_options(report, one, place)
  if one == nil then
    return nil, "server_options is not set"
  elseif type(one) ~= "string" then
    value.wrong(report, place, "%s is not a string", value.shown(one))
    return nil, nil
  end
  local made, why = options.parse(one)
  if not made then
    value.warn(report, place, "%s; no slots can be added", why)
    return nil, "server_options: " .. why
  end
  return made, nil
end

--- Reads the section.
-- @tparam report report
-- @param section  its value
-- @tparam string place
-- @tparam table defaults `name` of the service, and `use_nerve_weights`
-- @treturn table `disabled`, `backend`, `use_nerve_weights`,
--   `server_options` and `fixed` of a service
function backend.read(report, section, place, defaults)
  local object = value.object(report, section, place)
  value.keys(report, object, place, keys.SERVICE_HAPROXY)
  local server_options, fixed = read_options(report, object.server_options,
    place .. ".server_options")
  return {
    disabled = value.boolean(report, object.disabled, place .. ".disabled",
      false),
    backend = value.string(report,
      value.either(object.backend_name, defaults.name),
      place .. ".backend_name", "^[%w_.:-]+$",
      "the name of a backend ([A-Za-z0-9_.:-])"),
    use_nerve_weights = value.boolean(report, object.use_nerve_weights,
      place .. ".use_nerve_weights", defaults.use_nerve_weights),
    server_options = server_options,
    fixed = fixed,
  }
end

return backend
