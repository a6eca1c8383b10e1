-- Closes and collects clients, sessions, events and directories in all orders,
-- with requests, watches and jobs under way.
--
--   close_orders.lua HOSTS DIRECTORY

local drive = require("drive")
local zookeeper = require("zookeeper")

local hosts, directory = arg[1], arg[2]

-- Two sessions, each with requests in flight and one connecting; a file is
-- being written; an event is held.
local function made()
  local it = {client = zookeeper.new()}
  it.one, it.event = drive.open(it.client, hosts, 10)
  it.two = assert(it.client:open{hosts = hosts, timeout = 10})
  it.directory = assert(zookeeper.open_directory(directory))
  for _ = 1, 100 do
    it.one:get("/", true)
    it.one:get_children("/zookeeper", true)
  end
  it.client:write(it.directory, "file", ("x"):rep(10000))
  return it
end

local function collect()
  collectgarbage()
  collectgarbage()
end

local function answered(client)
  drive.until_event(client, function(event)
    return event.type == "reply" and event.session
  end)
end

local orders = {
  function(it) it.client:close() end,
  function(it) it.client:close() it.one:close() it.two:close() end,
  function(it) it.one:close() it.two:close() it.client:close() end,
  function(it) it.two:close() it.one:close() end,
  function(it) it.one:close() it.client:poll() it.client:close() end,
  function(it) it.one = nil collect() answered(it.client) end,
  function(it) it.client = nil collect() assert(it.one:state()) end,
  function(it) it.client, it.two = nil, nil collect() it.one:close() end,
  function(it) it.directory = nil collect() it.client:close() end,
  function() end,
}

local function attempt(close)
  local it = made()
  close(it)
  if it.one then
    assert(it.event.session == it.one, "an event keeps its session")
  end
end

for _, close in ipairs(orders) do
  attempt(close)
  collect()
end
made() -- left to the end of the state
print("done")
