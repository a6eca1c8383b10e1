-- Sets more watches on one session than the client library can restore in one
-- packet; prints states until it is told of a new handle and then of a change.
--
--   watches.lua HOSTS COUNT PATH

local drive = require("drive")
local zookeeper = require("zookeeper")

local client = zookeeper.new()
local session = drive.open(client, arg[1], 4)
local name = ("x"):rep(60)
local last

io.stdout:setvbuf("line")
for number = 1, tonumber(arg[2]) do
  last = session:exists(string.format("/%s%06d", name, number), true)
end
drive.reply(client, last)
print("watching")
local losses = 0
repeat
  local event = drive.until_state(client, "connected", function(other)
    if other.state == "connecting" then
      losses = losses + 1
    end
  end)
  print(event.state, event.link, event.client_id)
until event.link == "new_handle"
assert(drive.reply(client, session:exists(arg[3], true)).error)
print("losses " .. losses)
drive.until_event(client, function(event)
  return event.type == "watch" and event.path == arg[3]
end)
client:close()
