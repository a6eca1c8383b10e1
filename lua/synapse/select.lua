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

-- The same host:port twice is one server; the newest znode speaks for it.
local function newest_of_each(instances)
  local found, list = {}, {}
  for _, one in ipairs(instances) do
    local other = found[one.key]
    if not other or instance.is_newer(one, other) then
      found[one.key] = one
    end
  end
  for _, one in pairs(found) do
    list[#list + 1] = one
  end
  table.sort(list, by_key)
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
