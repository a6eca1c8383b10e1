--- Reads `prefer` and `subset` of a service: which instances it uses, and how.
--
-- Pure, but for the functions that return the environment and the machine's
-- name.
--
-- @module synapse.config.policy

local schema = require("synapse.config.schema")
local value = require("synapse.config.value")

local policy = {}

-- A number or a boolean is what JSON writes for it.
local function as_text(one)
  if type(one) == "number" then
    return string.format("%.14g", one)
  end
  return type(one) == "boolean" and tostring(one) or one
end

-- The same file serves machines of all zones, so a text may have the name of a
-- variable of the environment in it.
local function expand(report, text, place, environment)
  return (text:gsub("%${([%w_]*)}", function(name)
    local found = environment(name)
    if not found or found == "" then
      value.wrong(report, place, "${%s} is not set in HAProxy's environment",
        name)
    end
    return found
  end))
end

local function read_text(report, one, place, what, environment)
  local text = value.string(report, as_text(one), place, ".", what)
  return text and expand(report, text, place, environment)
end

local function read_preference(report, section, place, environment)
  local object = value.object(report, section, place)
  value.keys(report, object, place, schema.PREFER)
  return {
    label = value.string(report, object.label, place .. ".label", ".",
      "the name of a label"),
    value = read_text(report, object.value, place .. ".value",
      "the value of the label", environment),
    least = value.number(report, object.least, place .. ".least",
      {integer = true, low = 1, high = 100000, default = 1}),
  }
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
  for i, one in ipairs(section) do
    local where = string.format("%s[%d]", place, i - 1)
    list[i] = read_preference(report, one, where, environment)
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
  local object = value.object(report, section, place)
  value.keys(report, object, place, schema.SUBSET)
  if object.size == nil then
    value.wrong(report, place .. ".size", "is missing; it must be how many " ..
      "instances each machine uses")
  end
  local size = value.number(report, object.size, place .. ".size",
    {integer = true, low = 1, high = 100000, default = 1})
  return {
    size = size,
    least = value.number(report, object.least, place .. ".least",
      {integer = true, low = 0, high = tonumber(size) or 1,
        default = ((tonumber(size) or 1) + 1) // 2}),
    machine = object.machine == nil and edges.machine() or
      read_text(report, object.machine, place .. ".machine",
        "a name that no other machine has", edges.environment),
    machines = value.number(report, object.machines, place .. ".machines",
      {integer = true, low = 1, high = 1000000}),
  }
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
