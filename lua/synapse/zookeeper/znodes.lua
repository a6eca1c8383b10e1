--- The znodes of one path as they were last read, and the instances that they
-- are.
--
-- @module synapse.zookeeper.znodes

local entries = require("synapse.zookeeper.entry")
local roster = require("synapse.instances.list")

local catalogue = {}
catalogue.__index = catalogue

--- Returns a catalogue of what the last run left.
-- @tparam table deps
--   `known`: instances, each with its `znode`, a znode maybe twice;
--   `origin`: what each instance that is read is to carry, or nil;
--   `reported(name, problem)`: called when a znode turns bad, or good again
--   (nil)
-- @treturn catalogue with `entries` by the znode's name
function catalogue.new(deps)
  local self = setmetatable({deps = deps, entries = {}}, catalogue)
  local known = {}
  for _, one in ipairs(deps.known) do
    if not self.entries[one.znode] then
      self.entries[one.znode] = {instance = one}
      known[#known + 1] = one
    end
  end
  self.roster = roster.new(known)
  return self
end

-- Replaces what is known of a znode; notes which instances that changes.
local function replace(self, name, entry, gone, come)
  local before = (self.entries[name] or {}).instance
  local now = (entry or {}).instance
  if now then
    now.origin = self.deps.origin
  end
  self.entries[name] = entry
  if before ~= now then
    gone[#gone + 1] = before
    come[#come + 1] = now
  end
end

-- The reason is told when it is new, not at every read.
local function report_problem(self, name, problem)
  local before = self.entries[name]
  if problem ~= (before and before.problem) then
    self.deps.reported(name, problem)
  end
end

--- Takes what was read, and forgets what is gone.
-- @tparam {[string]=entry} read by the znode's name
-- @tparam {[string]=true} deleted names of znodes that are gone
function catalogue:take(read, deleted)
  local gone, come = {}, {}
  for name, entry in pairs(read) do
    report_problem(self, name, entry.problem)
    replace(self, name, entries.merge(self.entries[name], entry), gone, come)
  end
  for name in pairs(deleted) do
    report_problem(self, name, nil)
    replace(self, name, nil, gone, come)
  end
  if #gone + #come > 0 then
    self.roster:change(gone, come)
  end
end

--- Returns how many znodes are known.
-- @treturn integer
function catalogue:size()
  local size = 0
  for _ in pairs(self.entries) do
    size = size + 1
  end
  return size
end

--- Returns the beginning of a znode's data, as it was read.
-- @tparam string name
-- @treturn ?string
function catalogue:data(name)
  return (self.entries[name] or {}).data
end

--- Lists the znodes that are not as they should be, or were not read.
-- @treturn {{znode,problem,is_refused,data,key},...} sorted by znode
function catalogue:problems()
  local list = {}
  for name, entry in pairs(self.entries) do
    list[#list + 1] = entry.problem and name or nil
  end
  table.sort(list)
  for i, name in ipairs(list) do
    local entry = self.entries[name]
    list[i] = {
      znode = name, problem = entry.problem, data = entry.data,
      is_refused = entry.instance == nil, key = (entry.instance or {}).key,
    }
  end
  return list
end

return catalogue
