--- Waits for a path that is not there, and makes it where that is asked for.
--
-- @module synapse.zookeeper.missing

local missing = {}

-- Lists a path and the paths above it, the shortest first.
local function lineage(path)
  local list, from = {}, 2
  while from do
    from = path:find("/", from, true)
    list[#list + 1] = path:sub(1, (from or 0) - 1)
    from = from and from + 1
  end
  return list
end

-- Only the last answer counts: those above may be there, and closed to us. That
-- the path is made the watch tells that waits for it.
local function make(deps)
  local paths = lineage(deps.path)
  for i, path in ipairs(paths) do
    local asked = deps.request("create", path, function(event)
      if i == #paths and event.code ~= deps.codes.ok and
        event.code ~= deps.codes.node_exists
      then
        deps.unmade(event)
      end
    end)
    if not asked then
      return
    end
  end
end

--- Sets a watch that fires when the path is made.
-- @tparam table deps
--   `path`; `request(op, path, handler)` as a registry has it; `codes`;
--   `create`: whether it is to be made; `found()`: called when it is there
--   already; `failed(event)`: called when it cannot be asked for;
--   `unmade(event)`: called when it cannot be made
function missing.await(deps)
  deps.request("exists", deps.path, function(event)
    if event.code == deps.codes.ok then
      deps.found()
    elseif event.code ~= deps.codes.no_node then
      deps.failed(event)
    elseif deps.create then
      make(deps)
    end
  end)
end

return missing
