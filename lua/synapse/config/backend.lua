--- Reads `services.*.haproxy`: the backend of a service.
--
-- Pure.
--
-- @module synapse.config.backend

local bind = require("synapse.config.bind")
local keys = require("synapse.config.keys")
local server_options = require("synapse.config.server_options")
local value = require("synapse.config.value")

local backend = {}

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

--- Reads the section.
-- @tparam report report
-- @param section  its value
-- @tparam string place
-- @tparam table defaults `name` of the service, `use_nerve_weights`,
--   `bind_address`
-- @treturn table the fields of a service that come from it
function backend.read(report, section, place, defaults)
  local object = value.object(report, section, place)
  value.keys(report, object, place, keys.SERVICE_HAPROXY)
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

return backend
