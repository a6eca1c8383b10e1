--- A ZooKeeper for the fuzz: paths with children, watches, and reads that fail
-- where they are told to.
local new_names = dofile("tests/fake/names.lua")

local tree = {}
tree.__index = tree

local MAX_DATA = 65536
local NO_NODE, NODE_EXISTS = -101, -110

--- Returns a tree without paths.
-- @tparam function push takes an event
function tree.new(push)
  return setmetatable({push = push, paths = {}, children = {}, broken = {},
    watched = {}, zxid = 0, requests = 0}, tree)
end

local function fire(self, path, change)
  if self.watched[path] then
    self.watched[path] = nil
    self.push({type = "watch", session = self.session, path = path,
      change = change})
  end
end

--- Makes a path.
function tree:make(path)
  self.paths[path] = self.paths[path] or {}
  fire(self, path, "created")
end

--- Removes a path with its children, whose watches fire as well.
function tree:remove(path)
  for name in pairs(self.paths[path] or {}) do
    self:delete(path, name)
  end
  self.paths[path] = nil
  fire(self, path, "deleted")
end

--- Makes a child, or gives it other data.
function tree:put(path, name, data)
  local full = path .. "/" .. name
  local before = self.children[full]
  self.zxid = self.zxid + 1
  self.paths[path][name] = true
  self.children[full] = {data = data,
    czxid = before and before.czxid or self.zxid}
  fire(self, before and full or path, before and "data" or "children")
end

--- Deletes a child.
function tree:delete(path, name)
  self.paths[path][name] = nil
  self.children[path .. "/" .. name] = nil
  fire(self, path .. "/" .. name, "deleted")
  fire(self, path, "children")
end

--- Lists the names of a path's children, sorted.
function tree:names(path)
  local names = {}
  for name in pairs(self.paths[path] or {}) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local READ = {
  get_children = function(self, event)
    if not self.paths[event.path] then
      event.code = NO_NODE
      return
    end
    event.children = self:names(event.path)
    event.names = new_names(event.children)
  end,
  exists = function(self, event)
    event.code = self.paths[event.path] and 0 or NO_NODE
  end,
  create = function(self, event)
    event.code = self.paths[event.path] and NODE_EXISTS or 0
    self:make(event.path)
  end,
  get = function(self, event)
    local child = self.children[event.path]
    if not child then
      event.code = NO_NODE
      return
    end
    event.data = child.data:sub(1, MAX_DATA)
    event.stat = {data_length = #child.data, czxid = child.czxid}
  end,
}

local function ask(self, op, path)
  self.requests = self.requests + 1
  local event = {type = "reply", session = self.session, op = op, path = path,
    request = self.requests, code = self.broken[path] or 0}
  if event.code == 0 then
    READ[op](self, event)
  end
  if op ~= "create" and self.broken[path] == nil then
    self.watched[path] = event.code == 0 or op == "exists" or nil
  end
  if event.code ~= 0 then
    event.error = "code\n" .. event.code
  end
  self.push(event)
  return event.request
end

--- Returns a session with the tree.
function tree:open()
  self.session = {close = function() end, set_hosts = function() end,
    room = function() return 1 end}
  for op in pairs(READ) do
    self.session[op] = function(_, path) return ask(self, op, path) end
  end
  return self.session
end

return tree
