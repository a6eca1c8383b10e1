-- Writes and reads files as the agent's snapshot is; the process may write no
-- file above 4,096 bytes.
--
--   files.lua DIRECTORY

local drive = require("drive")
local zookeeper = require("zookeeper")

local client = zookeeper.new()
local directory = assert(zookeeper.open_directory(arg[1]))

local function write(name, data)
  local request = assert(client:write(directory, name, data))
  return drive.until_event(client, function(event)
    return event.type == "job" and event.request == request
  end)
end

local function refuses(pattern, result, message, code)
  assert(result == nil and message:find(pattern), message)
  assert(math.type(code) == "integer" and code > 0)
end

assert(write("snapshot", "old\0one").error == nil)
assert(directory:read("snapshot", 100) == "old\0one")
local failed = write("snapshot", ("x"):rep(5000))
assert(failed.code > 0 and failed.error, "the file had no room")
assert(directory:read("snapshot", 100) == "old\0one")
refuses("too large", directory:read("snapshot", 6))
refuses("symbolic link", directory:read("link", 100))
refuses("missing: No such file", directory:read("missing", 100))
refuses("no/such: No such file", zookeeper.open_directory("no/such"))
client:close()
print("done")
