-- Reads a znode that needs credentials: on the first connection, and again
-- after each later one.
--
--   secret.lua HOSTS PATH

local zookeeper = require("zookeeper")

local client = zookeeper.new()
local session = assert(client:open{hosts = arg[1], timeout = 2})
local late = false

io.stdout:setvbuf("line")
while true do
  local event = client:wait(200) and client:poll()
  if event and event.type == "session" then
    print(event.state, event.link or "-")
    if event.state == "connected" then
      session:get(arg[2])
    elseif event.state == "connecting" and not late then
      late = true
      assert(session:add_auth("digest", "me:secret") == true)
    end
  elseif event and event.type == "reply" then
    print("get", event.data or event.error)
  end
end
