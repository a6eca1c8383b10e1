-- Closes a session whose server hangs; measures what that does to another
-- session of the same client, whose server does not.
--
--   hung.lua HOSTS_THAT_WILL_HANG HOSTS GO     begins when file GO is there

local drive = require("drive")
local zookeeper = require("zookeeper")

local client = zookeeper.new()
local hung = drive.open(client, arg[1], 10)
local healthy = drive.open(client, arg[2], 10)
local longest = 0

local function measured(call, ...)
  local begun = zookeeper.now()
  local result = call(...)
  longest = math.max(longest, zookeeper.now() - begun)
  return result
end

io.stdout:setvbuf("line")
print("ready")
while not io.open(arg[3]) do
  client:wait(20)
  client:poll()
end
for number = 1, 200 do
  hung:get("/" .. number)
end
measured(hung.close, hung)
local ends = zookeeper.now() + 2
local replies, asked = 0, nil
while zookeeper.now() < ends do
  asked = asked or measured(healthy.get, healthy, "/")
  client:wait(20)
  local event = measured(client.poll, client)
  assert(not event or event.session ~= hung, "news of a closed session")
  if event and event.type == "reply" and event.request == asked then
    replies, asked = replies + 1, nil
  end
end
print(string.format("longest %.3f s, %d replies", longest, replies))
client:close()
print("closed")
