-- Keeps an ephemeral znode and a watch on it; prints what its sessions say.
--
--   keep.lua HOSTS PATH TIMEOUT

local zookeeper = require("zookeeper")

local hosts, path, timeout = arg[1], arg[2], tonumber(arg[3])
local client = zookeeper.new()
local session = assert(client:open{hosts = hosts, timeout = timeout})
local on = {}

io.stdout:setvbuf("line")

function on.session(event)
  print(event.state, event.link or "-", event.client_id or "-")
  if event.link == "new_session" then
    session:create(path, "mine", {ephemeral = true})
  elseif event.link then
    session:get(path, true)
  end
end

function on.reply(event)
  print(event.op, event.error or "ok")
  if event.op == "create" then
    session:get(path, true)
  end
end

function on.watch(event)
  print("watch", event.change)
  session:get(path, true)
end

while true do
  local event = client:wait(200) and client:poll()
  if event and on[event.type] then
    on[event.type](event)
  end
end
