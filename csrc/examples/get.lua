-- get.lua - prints the data of a znode, or what ZooKeeper knows of it
--
--   lua5.3 get.lua 127.0.0.1:2181 /services/web/one_0000000000 [stat]
--
-- Finds zookeeper.so through LUA_CPATH, as in LUA_CPATH="build/lua5.3/?.so;;".

local zookeeper = require("zookeeper")

local hosts, path, what = arg[1], arg[2], arg[3] or "data"
assert(hosts and path, "usage: get.lua HOSTS PATH [stat]")

local FIELDS = {"czxid", "mzxid", "ctime", "mtime", "version",
                "ephemeral_owner", "data_length", "num_children"}

local function print_stat(stat)
  for _, field in ipairs(FIELDS) do
    print(("%-16s %s"):format(field, stat[field]))
  end
end

local function show(reply)
  if reply.error then
    io.stderr:write(reply.path, ": ", reply.error, "\n")
    return 1
  end
  if what == "stat" then
    print_stat(reply.stat)
  else
    print(reply.data)
  end
  return 0
end

local client = zookeeper.new()
local session = assert(client:open{hosts = assert(zookeeper.resolve(hosts))})
local status

while not status and client:wait(5000) do
  local event = client:poll() or {}
  if event.type == "session" and event.state == "connected" then
    session:get(path)
  elseif event.type == "reply" then
    status = show(event)
  end
end
if not status then
  io.stderr:write(hosts, ": no answer\n")
end
client:close()
os.exit(status or 1)
