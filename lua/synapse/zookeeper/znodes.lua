--- The znodes of one path as they were last read, and the instances that they
-- are.
--
-- @module synapse.zookeeper.znodes

local instances = require("synapse.instances.instance")
local instance_list = require("synapse.instances.list")

local znodes = {}
znodes.__index = znodes

--- What is known of a znode.
-- @table znode
-- @tfield ?instance instance nil where it has none
-- @tfield ?string problem what was dropped or refused
-- @tfield ?boolean is_bad whether all of it was refused
-- @tfield string data     its beginning, to be looked at

local SHOWN = 2048

local function new_znode(data, instance, problems)
  local znode = {data = #data > SHOWN and data:sub(1, SHOWN) or data}
  if instance then
    znode.instance = instance
    znode.problem = #problems > 0 and table.concat(problems, "; ") or nil
  elseif instance == nil then
    znode.problem, znode.is_bad = problems .. "; refused", true
  end
  return znode
end

--- Returns what makes znodes whose data is an instance.
-- @tparam function decoder as `synapse.zookeeper.decode` makes it
-- @treturn {read,named} `read(name, event)` makes a znode of the reply to a
--   read; `named(name)` makes one whose name carries its data, and returns nil
--   of another, which has to be read
function znodes.reader(decoder)
  return {
    read = function(name, event)
      return new_znode(event.data,
        instances.from_data(name, event.data, event.stat, decoder))
    end,
    named = function(name)
      local instance, problems = instances.from_name(name, decoder)
      return instance ~= nil and new_znode(name, instance, problems) or nil
    end,
  }
end

--- Makes the znode that was not read.
-- @tparam string why
-- @treturn znode
function znodes.refused(why)
  return {data = "", problem = why, is_bad = true}
end

-- Returns what is known from now on. Data that turns bad keeps the instance as
-- it was.
-- @tparam ?znode before
-- @tparam znode now
-- @treturn znode
local function merge(before, now)
  if now.is_bad and before then
    return {instance = before.instance, problem = now.problem, data = now.data}
  end
  return now
end

--- Returns the znodes that the last run left.
-- @tparam table deps
--   `known`: instances, each with its `znode`, a znode maybe twice;
--   `origin`: what each instance that is read is to carry, or nil;
--   `reported(name, problem)`: called when a znode turns bad, or good again
--   (nil); `moved(gone, come)`: called with the instances that went and those
--   that came, one for each znode
-- @treturn znodes with `by_name`; `instances`, an `instance_list`
function znodes.new(deps)
  local self = setmetatable({deps = deps, by_name = {}}, znodes)
  local known = {}
  for _, instance in ipairs(deps.known) do
    if not self.by_name[instance.znode] then
      self.by_name[instance.znode] = {instance = instance}
      known[#known + 1] = instance
    end
  end
  self.instances = instance_list.new(known)
  deps.moved({}, known)
  return self
end

-- Replaces what is known of a znode; notes which instances that changes.
local function replace(self, name, znode, gone, come)
  local before = (self.by_name[name] or {}).instance
  local now = (znode or {}).instance
  if now then
    now.origin = self.deps.origin
  end
  self.by_name[name] = znode
  if before ~= now then
    gone[#gone + 1] = before
    come[#come + 1] = now
  end
end

-- Reports a problem when it is new, not at every read.
local function report_problem(self, name, problem)
  local before = self.by_name[name]
  if problem ~= (before and before.problem) then
    self.deps.reported(name, problem)
  end
end

--- Takes what was read, and forgets what is gone.
-- @tparam {[string]=znode} read by the znode's name
-- @tparam {[string]=true} deleted names of znodes that are gone
function znodes:take(read, deleted)
  local gone, come = {}, {}
  for name, znode in pairs(read) do
    report_problem(self, name, znode.problem)
    replace(self, name, merge(self.by_name[name], znode), gone, come)
  end
  for name in pairs(deleted) do
    report_problem(self, name, nil)
    replace(self, name, nil, gone, come)
  end
  if #gone + #come > 0 then
    self.instances:change(gone, come)
    self.deps.moved(gone, come)
  end
end

--- Forgets all of them.
function znodes:forget_all()
  local gone = {}
  for _, znode in pairs(self.by_name) do
    gone[#gone + 1] = znode.instance
  end
  self.by_name = {}
  self.deps.moved(gone, {})
end

--- Returns how many znodes are known.
-- @treturn integer
function znodes:size()
  local size = 0
  for _ in pairs(self.by_name) do
    size = size + 1
  end
  return size
end

--- Returns the beginning of a znode's data, as it was read.
-- @tparam string name
-- @treturn ?string
function znodes:data(name)
  return (self.by_name[name] or {}).data
end

--- Lists the znodes that are not as they should be, or were not read.
-- @treturn {{znode,problem,is_refused,data,key},...} sorted by znode
function znodes:problems()
  local list = {}
  for name, znode in pairs(self.by_name) do
    list[#list + 1] = znode.problem and name or nil
  end
  table.sort(list)
  for i, name in ipairs(list) do
    local znode = self.by_name[name]
    list[i] = {
      znode = name, problem = znode.problem, data = znode.data,
      is_refused = znode.instance == nil, key = (znode.instance or {}).key,
    }
  end
  return list
end

return znodes
