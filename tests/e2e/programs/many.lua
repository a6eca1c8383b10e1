-- Asks for many znodes at once, and again for those whose answer was lost;
-- each number is to be answered once, and in order where it worked.
--
--   many.lua HOSTS COUNT

local drive = require("drive")
local zookeeper = require("zookeeper")

local hosts, count = arg[1], tonumber(arg[2])
local client = zookeeper.new()
local session = drive.open(client, hosts, 4)
local path_of, todo = {}, {}
local answered, lost, reconnects = 0, 0, 0
local last = 0

local function ask(paths)
  for _, path in ipairs(paths) do
    local request = assert(session:exists(path))
    assert(path_of[request] == nil, "a number was given twice")
    path_of[request] = path
  end
end

local function on_reply(event)
  assert(path_of[event.request] == event.path, "not asked, or answered twice")
  path_of[event.request] = nil
  if event.code == zookeeper.codes.connection_loss then
    lost = lost + 1
    table.insert(todo, event.path)
    return
  end
  assert(event.code == zookeeper.codes.no_node, event.error)
  assert(event.request > last, "answered out of order")
  last = event.request
  answered = answered + 1
end

for number = 1, count do
  todo[number] = "/many/" .. number
end
ask(todo)
todo = {}
assert(session:pending() >= count)
while answered < count do
  local event = drive.until_event(client, function(event)
    return event.type == "reply" or event.state == "connected"
  end)
  if event.type == "reply" then
    on_reply(event)
  else
    reconnects = reconnects + 1
  end
  if next(path_of) == nil and session:state() == "connected" then
    ask(todo)
    todo = {}
  end
end
assert(session:pending() == 0 and next(path_of) == nil)
client:close()
print(string.format("answered %d lost %d reconnects %d", answered, lost,
  reconnects))
