--- Decides which instances a service wants: policy, nothing else.
--
-- Pure.
--
-- @module synapse.select

local roster = require("synapse.roster")

local select = {}

--- Lists the wanted instances of a service, each host:port once.
--
-- None in ZooKeeper: the default servers where there are any, else those of
-- before with `use_previous_backends`, else none.
-- @tparam service service from the configuration
-- @tparam {instance,...} instances in ZooKeeper, as a roster lists them
-- @tparam {instance,...} previous what this function returned before
-- @treturn {instance,...} sorted by key
-- @treturn string where they are from: "zookeeper", "default", "previous"
function select.wanted(service, instances, previous)
  if #instances > 0 then
    return instances, "zookeeper"
  elseif #service.default_servers > 0 then
    return roster.new(service.default_servers):list(), "default"
  elseif service.use_previous_backends and #previous > 0 then
    return previous, "previous"
  end
  return {}, "zookeeper"
end

return select
