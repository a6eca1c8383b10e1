--- Makes the frontend by which the services are reached that `discover` finds:
-- by the name of the host that a request asks for.
--
-- Pure.
--
-- @module synapse.generate.found

local bind = require("synapse.config.bind")
local FRONTEND = require("synapse.config.found").FRONTEND

local found = {}

local HOST = "req.hdr(host),host_only,lower"
local ROUTES = "${SYNAPSE_ROUTES-/dev/null}"

-- Where no service has that name. The map has addresses too, by which services
-- of other frontends are reached; a host that asks for a port twice would be
-- one.
local NO_SERVICE = 'http-request return status 404 content-type text/plain ' ..
  'string "no service has this name\\n" unless { ' .. HOST .. ',map("' ..
  ROUTES .. '") -m found } !{ ' .. HOST .. ' -m sub : }'

--- Makes the frontend.
-- @tparam found settings see `synapse.config.found`
-- @treturn section
function found.section(settings)
  local place = "discover"
  local lines = {{text = "mode http", place = place}}
  lines[2] = bind.line(settings.bind)
  table.move(settings.lines.frontend, 1, #settings.lines.frontend, 3, lines)
  lines[#lines + 1] = {text = NO_SERVICE, place = place}
  lines[#lines + 1] = {place = place,
    text = 'use_backend "%[' .. HOST .. ",map(" .. ROUTES .. ')]"'}
  return {title = {text = "frontend " .. FRONTEND, place = place},
    lines = lines}
end

return found
