--- Decides which instances a service wants: policy, nothing else.
--
-- Pure.
--
-- @module synapse.select

local instance = require("synapse.instance")

local select = {}

local function by_key(a, b)
  return a.key < b.key
end

local function is_sorted(instances)
  for i = 2, #instances do
    if instances[i].key < instances[i - 1].key then
      return false
    end
  end
  return true
end

-- A registry lists its instances sorted; other lists are short.
local function sorted(instances)
  if is_sorted(instances) then
    return instances
  end
  local list = table.move(instances, 1, #instances, 1, {})
  table.sort(list, by_key)
  return list
end

-- The same host:port twice is one server; the newest znode speaks for it.
local function newest_of_each(instances)
  local list, last = {}, nil
  for _, one in ipairs(sorted(instances)) do
    if not last or last.key ~= one.key then
      list[#list + 1] = one
      last = one
    elseif instance.is_newer(one, last) then
      list[#list] = one
      last = one
    end
  end
  return list
end

--- Lists the wanted instances of a service, each host:port once.
--
-- None in ZooKeeper: the default servers where there are any, else those of
-- before with `use_previous_backends`, else none.
-- @tparam service service from the configuration
-- @tparam {instance,...} instances in ZooKeeper
-- @tparam {instance,...} previous what this function returned before
-- @treturn {instance,...} sorted by key
-- @treturn string where they are from: "zookeeper", "default", "previous"
function select.wanted(service, instances, previous)
  if #instances > 0 then
    return newest_of_each(instances), "zookeeper"
  elseif #service.default_servers > 0 then
    return newest_of_each(service.default_servers), "default"
  elseif service.use_previous_backends and #previous > 0 then
    return previous, "previous"
  end
  return {}, "zookeeper"
end

return select
