-- register.lua - keeps an ephemeral znode while it runs
--
--   lua5.3 register.lua 127.0.0.1:2181 /services/web/one_ DATA [seconds]
--
-- The znode is made again when the session expires or when somebody deletes
-- it. It goes when this program ends.

local zookeeper = require("zookeeper")

local hosts, prefix, data = arg[1], arg[2], arg[3] or ""
local seconds = tonumber(arg[4]) or math.huge
assert(hosts and prefix, "usage: register.lua HOSTS PREFIX [DATA] [SECONDS]")

local client = zookeeper.new()
local session = assert(client:open{hosts = assert(zookeeper.resolve(hosts))})
local until_ = zookeeper.now() + seconds

io.stdout:setvbuf("line")

local function register()
  session:create(prefix, data, {ephemeral = true, sequential = true})
end

local replies = {}

-- A lost answer may hide a znode that was made: the session knows no more of
-- it, so a careful program looks at the children before it tries again. nerve
-- does; this example accepts a second znode.
function replies.create(event)
  if event.error then
    io.stderr:write(event.path, ": ", event.error, "\n")
    return
  end
  print("registered " .. event.data)
  session:exists(event.data, true)
end

local handlers = {
  reply = function(event)
    if replies[event.op] then
      replies[event.op](event)
    end
  end,
  watch = function(event)
    if event.change == "deleted" then
      register()
    end
  end,
  session = function(event)
    if event.state == "connected" and event.link == "new_session" then
      register()
    end
  end,
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
