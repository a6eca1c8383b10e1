--- Keeps the instances whose labels are as `label_filters` asks.
--
-- Pure.
--
-- @module synapse.instances.labels

local labels = {}

-- A missing label is not equal to any value.
local TESTS = {
  equals = function(label, value) return label == value end,
  ["not-equals"] = function(label, value) return label ~= value end,
}

--- Tells whether there is such a condition.
-- @param condition
-- @treturn boolean
function labels.has(condition)
  return TESTS[condition] ~= nil
end

local function passes(instance, filters)
  local values = instance.labels or {}
  for _, filter in ipairs(filters) do
    if not TESTS[filter.condition](values[filter.label], filter.value) then
      return false
    end
  end
  return true
end

--- Lists the instances that pass all filters.
-- @tparam {instance,...} instances
-- @tparam {{label,value,condition},...} filters
-- @treturn {instance,...} in the same order
function labels.apply(instances, filters)
  if #filters == 0 then
    return instances
  end
  local kept = {}
  for _, instance in ipairs(instances) do
    if passes(instance, filters) then
      kept[#kept + 1] = instance
    end
  end
  return kept
end

return labels
