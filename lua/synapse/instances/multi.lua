--- Makes one list of the instances that several sources have.
--
-- Pure.
--
-- @module synapse.instances.multi

local roster = require("synapse.instances.list")

local multi = {}

local function union(lists)
  local all = {}
  for _, list in ipairs(lists) do
    table.move(list, 1, #list, #all + 1, all)
  end
  return roster.new(all):list()
end

-- The first that has any; so it comes back by itself when an earlier one has.
local function sequential(lists)
  for _, list in ipairs(lists) do
    if #list > 0 then
      return list
    end
  end
  return {}
end

local RESOLVERS = {union = union, sequential = sequential}

--- Tells whether there is such a resolver.
-- @param name
-- @treturn boolean
function multi.has(name)
  return RESOLVERS[name] ~= nil
end

--- Returns the instances of a service.
-- @tparam string resolver
-- @tparam {{instance,...},...} lists one for each source, in order, each as a
--   roster lists them
-- @treturn {instance,...} sorted by key, each host:port once
function multi.resolve(resolver, lists)
  if #lists == 1 then
    return lists[1]
  end
  return RESOLVERS[resolver](lists)
end

return multi
