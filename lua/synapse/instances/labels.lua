--- Keeps the instances whose labels are as `label_filters` asks.
--
-- Pure.
--
-- @module synapse.instances.labels

local filter = {}

-- A label that is not there is not equal to any value.
local TESTS = {
  equals = function(one, value) return one == value end,
  ["not-equals"] = function(one, value) return one ~= value end,
}

--- Tells whether there is such a condition.
-- @param condition
-- @treturn boolean
function filter.has(condition)
  return TESTS[condition] ~= nil
end

local function passes(one, filters)
  local labels = one.labels or {}
  for _, each in ipairs(filters) do
    if not TESTS[each.condition](labels[each.label], each.value) then
      return false
    end
  end
  return true
end

--- Lists the instances that pass all filters.
-- @tparam {instance,...} instances
-- @tparam {{label,value,condition},...} filters
-- @treturn {instance,...} in the same order
function filter.apply(instances, filters)
  if #filters == 0 then
    return instances
  end
  local kept = {}
  for _, one in ipairs(instances) do
    if passes(one, filters) then
      kept[#kept + 1] = one
    end
  end
  return kept
end

return filter
