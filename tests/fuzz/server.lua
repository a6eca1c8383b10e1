--- A ZooKeeper for the fuzz that answers when it is told to: requests wait for
-- their turn, and what it says waits to be taken. One path with children.
local new_names = dofile("tests/fake/names.lua")

local server = {}
server.__index = server

local LOST, NO_NODE, NO_AUTH = -4, -101, -102

--- The path.
server.PATH = "/web"

local function lose(self)
  for _, event in ipairs(self.waiting) do
    event.code, event.error = LOST, "lost"
    table.insert(self.said, event)
  end
  self.waiting = {}
end

local function ask(self, op, path)
  self.requests = self.requests + 1
  table.insert(self.waiting,
    {type = "reply", op = op, path = path, request = self.requests})
  if not self.is_connected then
    lose(self)
  end
  return self.requests
end

--- Returns a server with the path, that nobody is connected to.
function server.new()
  local self = setmetatable({
    exists = true, nodes = {}, closed = {}, zxid = 0, changed = {},
    watches = {}, waiting = {}, said = {}, requests = 0, is_connected = false,
    is_open = false, session = {},
  }, server)
  for _, op in ipairs({"get_children", "get", "exists"}) do
    self.session[op] = function(_, path)
      return self.is_open and ask(self, op, path) or nil
    end
  end
  local window = math.random(8)
  function self.session.room()
    return self.is_open and math.max(0, window - #self.waiting) or 0
  end
  return self
end

local function path_of(name)
  return server.PATH .. "/" .. name
end

local function fire(self, path, change)
  self.zxid = self.zxid + 1
  self.changed[path] = {zxid = self.zxid, change = change}
  if self.is_connected and self.watches[path] then
    self.watches[path] = nil
    table.insert(self.said, {type = "watch", path = path, change = change})
  end
end

--- Makes a child, unless it is there.
function server:create(name, data)
  if self.exists and not self.nodes[name] then
    fire(self, server.PATH, "children")
    self.nodes[name] = {data = data, czxid = self.zxid}
  end
end

--- Gives a child other data, where it is there.
function server:set(name, data)
  if self.nodes[name] then
    self.nodes[name].data = data
    fire(self, path_of(name), "data")
  end
end

--- Deletes a child, where it is there.
function server:delete(name)
  if self.nodes[name] then
    self.nodes[name] = nil
    fire(self, path_of(name), "deleted")
    fire(self, server.PATH, "children")
  end
end

--- Deletes the path with its children.
function server:drop()
  for name in pairs(self.nodes) do
    self:delete(name)
  end
  if self.exists then
    self.exists = false
    fire(self, server.PATH, "deleted")
  end
end

--- Makes the path, unless it is there.
function server:make()
  if not self.exists then
    self.exists = true
    fire(self, server.PATH, "created")
  end
end

local READ = {
  get_children = function(self, event)
    if not self.exists then
      return NO_NODE
    end
    event.children = {}
    for name in pairs(self.nodes) do
      table.insert(event.children, name)
    end
    table.sort(event.children)
    event.names = new_names(event.children)
    return 0
  end,
  exists = function(self)
    return self.exists and 0 or NO_NODE
  end,
  get = function(self, event)
    local name = event.path:match("[^/]+$")
    local node = self.nodes[name]
    if not node or self.closed[name] then
      return node and NO_AUTH or NO_NODE
    end
    event.data = node.data
    event.stat = {data_length = #node.data, czxid = node.czxid}
    return 0
  end,
}

--- Answers the oldest request, if there is one.
function server:answer()
  local event = table.remove(self.waiting, 1)
  if event then
    event.code = READ[event.op](self, event)
    event.error = "code " .. event.code
    if event.code == 0 or event.op == "exists" then
      self.watches[event.path] = self.zxid
    end
    table.insert(self.said, event)
  end
end

--- Takes the oldest thing that was said, if there is one. A session takes
-- requests from when it heard that it is connected until it hears otherwise.
-- @treturn ?table an event
function server:take()
  local event = table.remove(self.said, 1)
  if event and event.type == "session" then
    self.is_open = event.state == "connected"
  end
  return event
end

--- Cuts the connection: what waits is lost.
function server:cut()
  if self.is_connected then
    self.is_connected = false
    lose(self)
    table.insert(self.said, {type = "session", state = "connecting"})
  end
end

--- Connects. Who has the handle of before has its watches, and is told of what
-- they missed.
-- @tparam string link as an event has it
function server:connect(link)
  if self.is_connected then
    return
  end
  self.is_connected = true
  local watches = link == "same_handle" and self.watches or {}
  self.watches = watches
  for path, zxid in pairs(watches) do
    local last = self.changed[path]
    if last and last.zxid > zxid then
      watches[path] = nil
      table.insert(self.said,
        {type = "watch", path = path, change = last.change})
    end
  end
  table.insert(self.said, {type = "session", state = "connected", link = link,
    client_id = "0x1", timeout = 10})
end

return server
