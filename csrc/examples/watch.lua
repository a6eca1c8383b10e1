-- watch.lua - follows the children of a znode, through restarts of ZooKeeper
--
--   lua5.3 watch.lua 127.0.0.1:2181 /services [seconds]
--
-- Prints "+ name" and "- name"; without a number of seconds until it is ended.

local zookeeper = require("zookeeper")

local hosts, path = arg[1] or "127.0.0.1:2181", arg[2] or "/"
local until_ = zookeeper.now() + (tonumber(arg[3]) or math.huge)
local client = zookeeper.new()
local session = assert(client:open{hosts = assert(zookeeper.resolve(hosts))})
local known = {}

io.stdout:setvbuf("line")

local function show(children)
  local now = {}
  for _, name in ipairs(children) do
    now[name] = true
    if not known[name] then
      print("+ " .. name)
    end
  end
  for name in pairs(known) do
    if not now[name] then
      print("- " .. name)
    end
  end
  known = now
end

-- A path that is not there yet is waited for: exists() with a watch tells when
-- it is made.
local function on_reply(event)
  if event.op == "get_children" and not event.error then
    show(event.children)
  elseif event.op == "get_children"
      and event.code == zookeeper.codes.no_node then
    show({})
    session:exists(path, true)
  elseif event.op == "exists" and not event.error then
    session:get_children(path, true)
  end
end

local handlers = {
  reply = on_reply,
  watch = function() session:get_children(path, true) end,
  session = function(event)
    io.stderr:write("session ", event.state, "\n")
    if event.state == "connected" then
      session:get_children(path, true)
    end
  end,
  log = function(event) io.stderr:write(event.message, "\n") end,
}

while zookeeper.now() < until_ do
  if client:wait(1000) then
    local event = client:poll()
    local handle = event and handlers[event.type]
    if handle then
      handle(event)
    end
  end
end
client:close()
