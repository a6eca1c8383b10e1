--- Says what is wrong with the backends that services want to fill.
--
-- Pure.
--
-- @module synapse.haproxy.backends

local backends = {}

local LINE =
  "`server-template s 1-16 slot.invalid:1 init-addr last,127.0.0.1 disabled`"

local BACKUP_LINE = LINE:gsub(" s 1", " b 1"):gsub("disabled", "backup %0")

-- Instances that are not preferred are HAProxy's backups.
local function prefer_problem(service, backend, place)
  if not service.prefer or #service.prefer == 0 then
    return nil
  elseif backend.backups == 0 and backend.sure then
    return place .. " has no slots for backups, which `prefer` needs; add a " ..
      "line " .. BACKUP_LINE
  elseif backend.all_backups == false then
    return place .. " has no line `option allbackups`, which `prefer` needs:" ..
      " without it HAProxy sends everything to one backup"
  end
  return nil
end

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
  return prefer_problem(service, backend, place)
end

--- Lists what has to be mended in haproxy.cfg.
-- @tparam {service,...} services of the configuration
-- @tparam function find returns, for the name of a backend, nil when there is
--   none, else `{slots, backups, sure, is_disabled, all_backups}`: how many
--   slots it has, and how many of them are backups, whether these numbers are
--   certain, whether the slots are out of traffic, and whether all backups are
--   used (nil: not known)
-- @treturn {string,...}
function backends.problems(services, find)
  local problems = {}
  for _, service in ipairs(services) do
    problems[#problems + 1] = problem(service, find(service.backend))
  end
  return problems
end

return backends
