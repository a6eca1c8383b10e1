--- Reads a `guard` section.
--
-- Pure.
--
-- @module synapse.config.guard

local value = require("synapse.config.value")

local guard = {}

--- What holds where nothing is said; times in seconds.
guard.DEFAULT = {window = 10, share = 0.5, hold = 60}

--- Reads the section of all services, or of one.
-- @tparam report report
-- @param section  its value
-- @tparam table fates of its keys, from `synapse.config.keys`
-- @tparam string place
-- @tparam settings default what holds for keys that are left out
-- @treturn settings see `synapse.service.guard`
function guard.read(report, section, fates, place, default)
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

return guard
