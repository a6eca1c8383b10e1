--- Reads `prefer` and `subset` of a service: which instances it uses, and how.
--
-- Pure, but for the functions that return the environment and the machine's
-- name.
--
-- @module synapse.config.policy

local schema = require("synapse.config.schema")
local value = require("synapse.config.value")

local policy = {}

-- The same file serves machines of all zones, so a text may have the name of a
-- variable of the environment in it.
local function expand(report, text, place, environment)
  return text and (text:gsub("%${([%w_]*)}", function(name)
    local variable = environment(name)
    if not variable or variable == "" then
      value.wrong(report, place, "${%s} is not set in HAProxy's environment",
        name)
    end
    return variable
  end))
end

local function read_preference(report, section, place, environment)
  local preference = value.section(report, section, place, schema.PREFER)
  preference.value =
    expand(report, preference.value, place .. ".value", environment)
  return preference
end

--- Reads `prefer`: one preference, or a list in the order of preference.
-- @tparam report report
-- @param section its value
-- @tparam string place
-- @tparam function environment returns a variable's value, or nil
-- @treturn {preference,...} see `synapse.service.prefer`; empty if there is
--   none
function policy.prefer(report, section, place, environment)
  if section == nil or type(section) == "table" and next(section) == nil then
    return {}
  elseif type(section) ~= "table" or #section == 0 then
    return {read_preference(report, section, place, environment)}
  end
  local list, places = {}, {}
  for i, preference in ipairs(section) do
    local where = string.format("%s[%d]", place, i - 1)
    list[i] = read_preference(report, preference, where, environment)
    local name = tostring(list[i].label) .. "\0" .. tostring(list[i].value)
    if places[name] then
      value.wrong(report, where, "is the same preference as %s", places[name])
    end
    places[name] = where
  end
  return list
end

--- Reads `subset`.
-- @tparam report report
-- @param section its value
-- @tparam string place
-- @tparam table edges `environment(name)`: a variable's value, or nil;
--   `machine()`: the name of this machine
-- @treturn ?settings see `synapse.service.subset`, and `machines`: how many
--   there are, or nil; nil if there is no subset
function policy.subset(report, section, place, edges)
  if section == nil then
    return nil
  end
  local settings, object = value.section(report, section, place,
    schema.SUBSET)
  local size = tonumber(settings.size) or 1
  settings.least = value.number(report, object.least, place .. ".least",
    {integer = true, low = 0, high = size, default = (size + 1) // 2})
  settings.machine = object.machine == nil and edges.machine() or
    expand(report, settings.machine, place .. ".machine", edges.environment)
  return settings
end

--- Warns of a policy that has nothing to choose.
-- @tparam report report
-- @tparam service service
function policy.check(report, service)
  if not service.leader_election then
    return
  end
  for _, key in ipairs({"prefer", "subset"}) do
    if service[key] and next(service[key]) ~= nil then
      value.warn(report, service.place .. "." .. key, "has no effect beside " ..
        "`leader_election`, which leaves one instance")
    end
  end
end

return policy
