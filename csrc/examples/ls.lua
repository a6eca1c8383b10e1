-- ls.lua - lists the children of a znode
--
--   lua5.3 ls.lua 127.0.0.1:2181 /services
--
-- Finds zookeeper.so through LUA_CPATH, as in LUA_CPATH="build/lua5.3/?.so;;".

local zookeeper = require("zookeeper")

local hosts, path = arg[1] or "127.0.0.1:2181", arg[2] or "/"
local client = zookeeper.new()
local session = assert(client:open{hosts = assert(zookeeper.resolve(hosts))})
local status = 1

local handlers = {}

function handlers.session(event)
  if event.state == "connected" then
    session:get_children(path)
    return false
  end
  io.stderr:write(hosts, ": session ", event.state, "\n")
  return event.state ~= "connecting"
end

function handlers.reply(event)
  if event.error then
    io.stderr:write(event.path, ": ", event.error, "\n")
    return true
  end
  table.sort(event.children)
  for _, name in ipairs(event.children) do
    print(name)
  end
  status = 0
  return true
end

local done
while not done and client:wait(15000) do
  local event = client:poll()
  local handle = event and handlers[event.type]
  done = handle and handle(event)
end
client:close()
os.exit(status)
