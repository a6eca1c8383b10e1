-- A fleet of agents that read an ensemble: sessions and reading code as in
-- HAProxy, without HAProxy.
--
--   fleet.lua HOSTS AGENTS TIMEOUT PATH...
--
-- On standard output, with the time of the monotonic clock:
--
--   ready TIME          all agents have read all paths
--   unsettled TIME      one of them has something to read again
--   expired TIME TOTAL  sessions have expired, so many until now
--   seen TIME KEY       all agents know of an instance of 10.99.0.0/16
local zookeeper = require("synapse.c_module")
local sessions = require("synapse.zookeeper.sessions")

local hosts, number, timeout = arg[1], tonumber(arg[2]), tonumber(arg[3])
local paths = {table.unpack(arg, 4)}
local client = zookeeper.new({queue_limit = 1 << 30})
local owner, agents, seen = {}, {}, {}

local function nothing() end

local silent = setmetatable({}, {__index = function() return nothing end})

local function say(word, ...)
  print(string.format("%s %.3f", word, zookeeper.now()), ...)
  io.stdout:flush()
end

local function service_of(path)
  local source = {
    hosts = hosts, path = path, ensemble = hosts, place = hosts .. path,
    decode = {method = "nerve"}, pause = 0, create_path = false, filters = {},
  }
  return {
    deps = {config = {sources = {source}, max_instances = 100000}},
    placement = {pool = {}}, wanted = {instances = {}},
  }
end

local function new_agent()
  local services = {}
  for i, path in ipairs(paths) do
    services[i] = service_of(path)
  end
  local agent = sessions.new({
    services = services, codes = zookeeper.codes, now = zookeeper.now,
    wall = os.time, random = math.random, log = silent,
    resync_interval = 600, reported = nothing, entered = nothing,
    lookup = {addresses = function() return hosts end},
  })
  agent:open(client, timeout)
  for opened in pairs(agent.by_session) do
    owner[opened] = agent
  end
  return agent
end

local function note_new(agent)
  for key in pairs(agent:take_new_claims() or {}) do
    if key:find("^10%.99%.") then
      seen[key] = (seen[key] or 0) + 1
      if seen[key] == number then
        say("seen", key)
      end
    end
  end
end

local function take(event)
  local agent = owner[event.session]
  if agent then
    agent:take(event)
    note_new(agent)
    repeat until not agent:next_changed()
  elseif event.type == "overflow" then
    for _, each in ipairs(agents) do
      each:take(event)
    end
  end
end

local function is_settled()
  for _, agent in ipairs(agents) do
    for _, through in ipairs(agent.list) do
      if through.state ~= "connected" or next(through.handlers) or
        #through.lists > 0 or #through.doubtful > 0
      then
        return false
      end
    end
  end
  return true
end

local function expiries()
  local all = 0
  for _, agent in ipairs(agents) do
    for _, through in ipairs(agent.list) do
      all = all + through.expiries
    end
  end
  return all
end

math.randomseed(os.time())
for i = 1, number do
  agents[i] = new_agent()
end
local settled, expired, ticked = false, 0, 0
while true do
  client:wait(20)
  local event = client:poll()
  while event do
    take(event)
    event = zookeeper.now() < ticked + 0.1 and client:poll()
  end
  if zookeeper.now() >= ticked + 0.1 then
    ticked = zookeeper.now()
    for _, agent in ipairs(agents) do
      agent:tick()
    end
    if expiries() > expired then
      expired = expiries()
      say("expired", expired)
    end
    if is_settled() ~= settled then
      settled = not settled
      say(settled and "ready" or "unsettled")
    end
  end
end
