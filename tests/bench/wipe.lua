--- Measures the agent's turns while the data of a thousand services is wiped.
--
--     LUA_PATH="lua/?.lua;;" lua5.3 tests/bench/wipe.lua
--
-- HAProxy and ZooKeeper are played by this program: it answers at once. So what
-- is measured is the agent alone, in processor time: how long its longest turn
-- is while every instance vanishes, while all are retained, and when their time
-- is over. Other traffic of HAProxy's thread waits as long as a turn lasts.

local agent = require("synapse.agent")
local new_log = dofile("tests/fake/log.lua")
local new_lookup = dofile("tests/fake/lookup.lua")
local new_names = dofile("tests/fake/names.lua")
local new_source = dofile("tests/fake/source.lua")

local SERVICES, EACH, SLOTS, HOLD = 1000, 10, 16, 60
local CODES = {ok = 0, connection_loss = -4, no_node = -101}
local WITHIN = 0.005

-- Time is the processor's within a turn, and is moved on between turns.
local ahead = 0
local function now()
  return ahead + os.clock()
end

-- What HAProxy has in its slots, and its answers.
local servers, answers = {}, {}

-- A queue as the C module has it: what is taken costs the same however many
-- wait.
local events = {first = 1, last = 0}

function events:add(event)
  self.last = self.last + 1
  self[self.last] = event
end

function events:take()
  local event = self[self.first]
  if event then
    self[self.first] = nil
    self.first = self.first + 1
  end
  return event
end

local function slots()
  local pool, declared = {}, {}
  for i = 1, SLOTS do
    pool[i] = "s" .. i
    declared[pool[i]] = {weight = 1, maxconn = 0}
  end
  return pool, declared
end

local function state_of(backend)
  local lines = {"1", "# be_id be_name"}
  for i = 1, SLOTS do
    local server = servers[backend .. "/s" .. i] or {"127.0.0.1", "1", false}
    lines[#lines + 1] = string.format("3 %s %d s%d %s %d %d 1 1 9 6 3 3 6 0 " ..
      "0 0 - %s - 0 0 - - 0", backend, i, i, server[1], server[3] and 2 or 0,
      server[3] and 4 or 5, server[2])
  end
  return table.concat(lines, "\n") .. "\n"
end

local function answer_of(text)
  local backend = text:match("^show servers state (%S+)")
  if backend then
    return state_of(backend)
  end
  local slot, host, port = text:match("^set server (%S+) addr (%S+) port (%d+)")
  if slot then
    servers[slot] = {host, port, false}
    return "IP changed from '127.0.0.1' to '" .. host .. "'\n"
  end
  local name, state = text:match("^set server (%S+) state (%S+)")
  servers[name] = servers[name] or {"127.0.0.1", "1", false}
  servers[name][3] = state == "ready"
  return ""
end

local client = {commands = 0}
local sessions, session_of = {}, {}
local registered = {}

local function answer_read(path)
  local name, child = path:match("^/(%d+)/?(.*)$")
  if child == "" then
    return {names = new_names(registered[name]), children = registered[name]}
  end
  local data = string.format('{"host":"10.%d.%d.%s","port":80}', name // 250,
    name % 250, child:match("%d+"))
  return {data = data, stat = {data_length = #data, czxid = 1}}
end

local function ask(op)
  return function(session, path)
    session_of[path] = session
    session.last = session.last + 1
    local event = answer_read(path)
    event.type, event.session, event.op = "reply", session, op
    event.request, event.path, event.code = session.last, path, 0
    events:add(event)
    return session.last
  end
end
local get_children, get = ask("get_children"), ask("get")

function client.open()
  local session = {last = 0, get_children = get_children, get = get}
  table.insert(sessions, session)
  return session
end

function client.poll()
  return events:take()
end

function client.tick() end
function client.wake() end

function client:command(line)
  self.commands = self.commands + 1
  answers[#answers + 1] = {request = self.commands, line = line}
  return self.commands
end

local function answer_all()
  for _, asked in ipairs(answers) do
    local texts = {}
    for text in asked.line:gmatch("[^;]+") do
      texts[#texts + 1] = answer_of(text) .. "\n"
    end
    events:add({type = "answer", request = asked.request,
      data = table.concat(texts)})
  end
  answers = {}
end

local function config_of(name)
  return {name = name, backend = name, path = "/" .. name,
    sources = {new_source("/" .. name)}, default_servers = {},
    named_servers = {},
    max_instances = 1000, use_previous_backends = false,
    guard = {window = 10, share = 0.5, hold = HOLD}}
end

local services = {}
for i = 1, SERVICES do
  local name = tostring(i)
  services[i], registered[name] = config_of(name), {}
  for n = 1, EACH do
    registered[name][n] = "i_" .. n
  end
end

local log = new_log()
local one = agent.new({
  config = {services = services, session_timeout = 10, resync_interval = 6e5},
  codes = CODES, checksum = function() return "0" end, records = {},
  client = client, now = now, thread_time = os.clock, log = log,
  random = function() return 0.5 end,
  lookup = new_lookup(services, {["zk:2181"] = "10.0.0.5:2181"}),
  runtime = {
    slots = slots, sessions = function() return 0 end, wall = now,
    active = function(backend)
      local active = 0
      for i = 1, SLOTS do
        local server = servers[backend .. "/s" .. i]
        active = active + (server and server[3] and 1 or 0)
      end
      return active, 0
    end,
  },
})

-- Runs turns for so many seconds, or until a condition holds; returns the
-- longest turn, how many there were, and how long it took.
local function run(seconds, condition)
  local began, longest, turns = now(), 0, 0
  while now() < began + seconds and not (condition and condition()) do
    local before = os.clock()
    local more = one:turn()
    longest, turns = math.max(longest, os.clock() - before), turns + 1
    answer_all()
    if not more and events.first > events.last then
      ahead = ahead + 0.05
    end
  end
  return longest, turns, now() - began
end

local function count(read)
  local sum = 0
  for _, service in ipairs(one.services) do
    for _ in pairs(read(service)) do
      sum = sum + 1
    end
  end
  return sum
end

local function wanted(service)
  return service.placement.by_key
end

local function retained(service)
  return service.wanted:retained()
end

local missed = false

local function report(what, longest, turns, took)
  missed = missed or longest > WITHIN
  print(string.format("%-44s %6d turns in %5.1f s, the longest %5.1f ms", what,
    turns, took, longest * 1000))
end

local function wipe(first, last)
  for i = first, last do
    registered[tostring(i)] = {}
    events:add({type = "watch", session = session_of["/" .. i],
      change = "children", path = "/" .. i})
  end
end

one:open()
for _, session in ipairs(sessions) do
  events:add({type = "session", session = session, state = "connected",
    link = "new_session", client_id = "0x1", timeout = 10})
end
report("all are read and put into slots", run(120, function()
  return count(wanted) == SERVICES * EACH and not one.sync.queue[1]
end))
run(30)
wipe(1, SERVICES)
report("all vanish at once", run(5))
assert(count(retained) == SERVICES * EACH, "not all are retained")
report("all are retained", run(30))
registered["7"] = {"i_11"}
events:add({type = "watch", session = session_of["/7"], change = "children",
  path = "/7"})
report("another instance comes meanwhile", run(5, function()
  return servers["7/s1"] and one.services[7].placement.by_key["10.0.7.11:80"]
    and not one.sync.queue[1]
end))
report("the hold is over", run(60, function() return count(wanted) == 1 end))
assert(count(wanted) == 1, "not all have left")
print(missed and "a turn was longer than 5 ms" or "no turn above 5 ms")
