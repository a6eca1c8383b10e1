--- Splits instances into those that serve and those that wait as backups.
--
-- A preference is a label and its value, such as the zone of this machine. The
-- instances that match the first preference are the first level, those that
-- match the second one the second level, and so on; the rest are the last
-- level. Levels serve from the first one on, until enough of their instances
-- can take traffic. All other instances are HAProxy's backups: when its checks
-- find that no instance serves any more, HAProxy itself uses the backups at
-- once, without the agent.
--
-- Pure.
--
-- @module synapse.service.prefer

local instance_list = require("synapse.instances.list")

local prefer = {}

--- What is preferred.
-- @table preference
-- @tfield string label
-- @tfield string value
-- @tfield integer least so many instances of this level and those before it
--   have to be able to take traffic; while there are fewer, the next level
--   serves too

-- A preference is a text; a label may be a number or a boolean. JSON has one
-- kind of number, so 1.0 is "1".
local function as_text(value)
  return type(value) == "number" and string.format("%.14g", value) or
    tostring(value)
end

local function matches(instance, preference)
  local value = instance.labels and instance.labels[preference.label]
  return value ~= nil and as_text(value) == preference.value
end

local function level_of(instance, preferences)
  for i, preference in ipairs(preferences) do
    if matches(instance, preference) then
      return i
    end
  end
  return #preferences + 1
end

--- Splits instances into levels.
-- @tparam {preference,...} preferences the most preferred one first
-- @tparam {instance,...} instances
-- @treturn {{instance,...},...} one list for each preference and one for the
--   rest, each in the order given
function prefer.levels(preferences, instances)
  local levels = {}
  for i = 1, #preferences + 1 do
    levels[i] = {}
  end
  for _, instance in ipairs(instances) do
    table.insert(levels[level_of(instance, preferences)], instance)
  end
  return levels
end

--- Returns how many levels serve.
--
-- The last level stays a level of backups if no instance of the others can take
-- traffic and one would be enough: HAProxy then uses all backups, so no
-- instance has to change its slot.
-- @tparam {preference,...} preferences
-- @tparam {{instance,...},...} levels see `prefer.levels`
-- @tparam function can_serve tells whether an instance can take traffic, as far
--   as is known
-- @treturn integer levels that serve; the others are backups
-- @treturn integer how many of their instances can take traffic
function prefer.serving(preferences, levels, can_serve)
  local able = 0
  for i, preference in ipairs(preferences) do
    able = able + instance_list.count(levels[i], can_serve)
    if able >= preference.least then
      return i, able
    end
  end
  local last = preferences[#preferences]
  if able == 0 and last and last.least == 1 then
    return #preferences, 0
  end
  return #levels, able + instance_list.count(levels[#levels], can_serve)
end

local function names(preferences, last)
  local list = {}
  for i = 1, math.min(last, #preferences) do
    list[i] = preferences[i].label .. " " .. preferences[i].value
  end
  return table.concat(list, ", ")
end

local function name_of(preferences, level)
  local preference = preferences[level]
  return preference and preference.label .. " " .. preference.value or
    "other " .. preferences[1].label
end

--- Returns why the instances of a level are backups, for people.
-- @tparam {preference,...} preferences
-- @tparam integer level one that does not serve
-- @tparam integer serving how many levels serve
-- @tparam integer able how many of their instances can take traffic
-- @treturn string such as "other zone; 3 of zone a serve"
function prefer.why(preferences, level, serving, able)
  local who = names(preferences, serving)
  if able == 0 then
    return string.format("%s; serves while none of %s can",
      name_of(preferences, level), who)
  end
  return string.format("%s; %d of %s serve", name_of(preferences, level), able,
    who)
end

--- Returns which levels serve and why, for people.
-- @tparam {preference,...} preferences
-- @tparam integer serving see `prefer.serving`
-- @tparam integer able see `prefer.serving`
-- @treturn string
function prefer.state(preferences, serving, able)
  if able == 0 and serving <= #preferences then
    return string.format("no instance of %s can serve, the backups do",
      names(preferences, serving))
  elseif serving == 1 then
    return string.format("%d of %s serve", able, names(preferences, 1))
  end
  return string.format("fewer than %d of %s can serve, so %s serves too",
    preferences[serving - 1].least, names(preferences, serving - 1),
    name_of(preferences, serving))
end

return prefer
