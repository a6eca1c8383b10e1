-- Requests without pause until it is ended by a line "END" at its path; each
-- must be answered once, whatever happens to ZooKeeper.

local zookeeper = require("zookeeper")

local hosts, path, seconds = arg[1], arg[2], tonumber(arg[3])
local client = zookeeper.new()
local session = assert(client:open{hosts = hosts, timeout = 3})
local ends = zookeeper.now() + seconds
local waiting, asked, lost, refused = {}, 0, 0, 0
local connected = false

local function ask()
  while connected and asked < 1000000 and session:pending() < 500 do
    local request = session:get(path)
    if not request then
      refused = refused + 1
      return
    end
    assert(waiting[request] == nil, "a number was given twice")
    waiting[request] = true
    asked = asked + 1
  end
end

local function take(event)
  if event == nil then
    return
  end
  if event.type == "session" then
    connected = event.state == "connected"
    print(event.state)
  elseif event.type == "reply" then
    assert(waiting[event.request], "a reply that nobody waits for")
    waiting[event.request] = nil
    if event.code ~= 0 then
      lost = lost + 1
    end
  end
end

io.stdout:setvbuf("line")
while zookeeper.now() < ends or next(waiting) do
  assert(zookeeper.now() < ends + 60, "replies are missing")
  if zookeeper.now() < ends then
    ask() -- after each event: there are always requests to be lost
  end
  if client:wait(10) then
    take(client:poll())
  end
end
assert(session:pending() == 0)
client:close()
print(string.format("asked %d lost %d refused %d", asked, lost, refused))
