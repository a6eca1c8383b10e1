-- Counts the client library's log lines while nothing answers.
--
--   logs.lua HOSTS SECONDS

local zookeeper = require("zookeeper")

local client = zookeeper.new()
assert(client:open{hosts = arg[1], timeout = 4})
local ends = zookeeper.now() + tonumber(arg[2])
local lines, dropped = 0, 0

while zookeeper.now() < ends do
  local event = client:wait(100) and client:poll()
  if event and event.type == "log" then
    lines = lines + 1
    assert(event.level == "error" or event.level == "warning", event.level)
    assert(not event.message:find("ZOO_"), event.message)
    dropped = dropped + (event.dropped or 0)
  end
end
client:close()
print(string.format("lines %d dropped %d", lines, dropped))
