-- Closing: twice is harmless, use afterwards is misuse.

local drive = require("drive")
local zookeeper = require("zookeeper")

local client = zookeeper.new()
local session = drive.open(client, arg[1])

local function raises(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert(not ok and message:find(pattern), message)
end

raises("bad argument", client.open, client, {})
raises("bad argument", session.get, session)
session:close()
session:close()
raises("session is closed", session.get, session, "/")
raises("session is closed", session.state, session)
client:close()
client:close()
local _, message = pcall(client.open, client, {hosts = arg[1]})
assert(type(message) == "string" and message ~= "")
assert(zookeeper.new():poll() == nil)
print("done")
