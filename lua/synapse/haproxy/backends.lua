--- Says what is wrong with the backends that services want to fill.
--
-- Pure.
--
-- @module synapse.haproxy.backends

local backends = {}

local LINE =
  "`server-template s 1-16 slot.invalid:1 init-addr last,127.0.0.1 disabled`"

local function problem(service, backend)
  local place = "services." .. service.name .. ": backend " .. service.backend
  if not backend then
    return place .. " is not in HAProxy's configuration; add it, with a line "
      .. LINE
  elseif backend.slots == 0 and backend.sure then
    return place .. " has no slots; add a line " .. LINE
  elseif backend.is_disabled == false then
    return place .. ": its slots are not `disabled`; their line is to be like "
      .. LINE
  end
  return nil
end

--- Lists what has to be mended in haproxy.cfg.
-- @tparam {service,...} services of the configuration
-- @tparam function find returns, for the name of a backend, nil when there is
--   none, else `{slots, sure, is_disabled}`: how many slots it has, whether
--   that number is certain, whether they are out of traffic (nil: not known)
-- @treturn {string,...}
function backends.problems(services, find)
  local problems = {}
  for _, service in ipairs(services) do
    problems[#problems + 1] = problem(service, find(service.backend))
  end
  return problems
end

return backends
