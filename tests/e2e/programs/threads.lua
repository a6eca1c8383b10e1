-- Opens a session where no thread can be made; prints its states. Ends well
-- when it is connected.
--
--   threads.lua HOSTS

local zookeeper = require("zookeeper")

local client = zookeeper.new()
local session = assert(client:open{hosts = arg[1]})

io.stdout:setvbuf("line")
assert(session:get("/") == nil)
while session:state() ~= "connected" do
  local event = client:wait(200) and client:poll()
  if event and event.type == "session" then
    print(event.state)
  end
end
client:close()
