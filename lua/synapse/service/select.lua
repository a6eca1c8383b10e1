--- Decides which instances a service wants: policy, nothing else.
--
-- Pure.
--
-- @module synapse.service.select

local election = require("synapse.service.election")
local instance_list = require("synapse.instances.list")

local select = {}

-- The znode of an instance speaks for it, also where it is a default server.
local function with_defaults(service, instances)
  if not service.keep_default_servers or #service.default_servers == 0 then
    return instances
  end
  local all = table.move(instances, 1, #instances, 1, {})
  local defaults = service.default_servers
  table.move(defaults, 1, #defaults, #all + 1, all)
  return instance_list.new(all):list()
end

local function candidates(service, instances, previous)
  if #instances > 0 then
    return with_defaults(service, instances), "zookeeper"
  elseif #service.default_servers > 0 then
    return instance_list.new(service.default_servers):list(), "default"
  elseif service.use_previous_backends and #previous > 0 then
    return previous, "previous"
  end
  return {}, "zookeeper"
end

--- Lists the wanted instances of a service, each host:port once.
--
-- None in ZooKeeper: the default servers where there are any, else those of
-- before with `use_previous_backends`, else none. With `leader_election`, the
-- leader among these alone.
-- @tparam service service from the configuration
-- @tparam {instance,...} instances in ZooKeeper, as `instance_list:list` does
-- @tparam {instance,...} previous what this function returned before
-- @treturn {instance,...} sorted by key
-- @treturn string where they are from: "zookeeper", "default", "previous"; or
--   "nobody" where none of them can be the leader
function select.wanted(service, instances, previous)
  local wanted, source = candidates(service, instances, previous)
  if not service.leader_election or #wanted == 0 then
    return wanted, source
  end
  local leader = election.leader(wanted)
  return leader, #leader > 0 and source or "nobody"
end

return select
