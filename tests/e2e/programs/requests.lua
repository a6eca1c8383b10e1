-- Every request once, with what it answers and how it fails.

local drive = require("drive")
local zookeeper = require("zookeeper")

local hosts, path = arg[1], arg[2]
local codes = zookeeper.codes
local client = zookeeper.new()
local session, connected = drive.open(client, hosts, 3)
local data = "a\0b\255"

local function reply(...)
  return drive.reply(client, ...)
end

assert(connected.link == "new_session" and connected.timeout == 3)
assert(connected.client_id == session:client_id())
assert(session:client_id():find("^0x%x+$") and session:timeout() == 3)
assert(session:state() == "connected")

local made = reply(session:create(path, data))
assert(made.op == "create" and made.code == 0 and made.error == nil)
assert(made.data == path and made.path == path)
assert(reply(session:create(path, "")).code == codes.node_exists)

local found = reply(session:get(path))
assert(found.data == data and found.stat.data_length == #data)
assert(reply(session:exists(path)).stat.version == 0)
assert(reply(session:exists(path .. "/x")).code == codes.no_node)

local changed = reply(session:set(path, "second", 0))
assert(changed.stat.version == 1)
local refused = reply(session:set(path, "third", 0))
assert(refused.code == codes.bad_version)
assert(refused.error == zookeeper.strerror(codes.bad_version))

local first = reply(session:create(path .. "/i_", "",
  {ephemeral = true, sequential = true}))
assert(first.data == path .. "/i_0000000000")
local child = reply(session:exists(first.data)).stat
assert(child.ephemeral_owner ~= 0)
local listed = reply(session:get_children(path))
assert(#listed.children == 1 and listed.children[1] == "i_0000000000")
assert(listed.stat.num_children == 1)

assert(reply(session:delete(path)).code == codes.not_empty)
assert(reply(session:delete(first.data, 7)).code == codes.bad_version)
assert(reply(session:delete(first.data, 0)).code == 0)
assert(reply(session:sync(path)).code == 0)
assert(reply(session:delete(path)).code == 0)

assert(reply(session:add_auth("digest", "user:secret")).code == 0)
assert(reply(session:get("no/slash")).code == codes.bad_arguments)

client:close()
print("done")
