-- Prints every state of a session, as "state link client_id".

local zookeeper = require("zookeeper")

io.stdout:setvbuf("line")
local client = zookeeper.new()
assert(client:open{hosts = arg[1], timeout = tonumber(arg[2])})
while true do
  local event = client:wait(200) and client:poll()
  if event and event.type == "session" then
    print(event.state, event.link or "-", event.client_id or "-")
  end
end
