--- Fuzz of order: whatever comes first of answers, watches, changes and
-- connections, the instances of a path end as ZooKeeper has them. And one that
-- is registered all the time, now under this name and now under that, is never
-- missing once it was known.
--
-- See `driver.lua` for the arguments.
local decode = require("synapse.zookeeper.decode")
local znodes = require("synapse.zookeeper.znodes")
local ensemble = require("synapse.zookeeper.session")
local registry = require("synapse.zookeeper.path")

local driver = dofile("tests/fuzz/driver.lua")
local mutate = dofile("tests/fuzz/mutate.lua")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")
local server = dofile("tests/fuzz/server.lua")

local CODES = {ok = 0, connection_loss = -4, no_node = -101}
local NAMES = {"a_1", "b_2", "c_3", "d_4", "e_5"}
local MOVES = {"m_6", "m_7", "m_8"}
local LINKS = {"same_handle", "same_handle", "new_handle", "new_session"}
local MOVING = 99
-- Longer than the longest time after which something is read again.
local CALM_SECONDS = 130

local function data(port)
  return string.format('{"host":"10.0.0.1","port":%d}', port)
end

local world = {}
world.__index = world

local function new_world()
  local clock, log = new_clock(), new_log()
  local self = setmetatable({clock = clock, server = server.new(), moves = 1,
    is_known = false, may_drop = mutate.once_in(2)}, world)
  self.ensemble = ensemble.new({
    hosts = "zk", log = log, now = clock.now, wall = clock.now,
    random = math.random, resync_interval = math.huge,
    entered = function() end,
  })
  self.ensemble:open(self.server.session)
  self.registry = registry.new({
    take_room = function() return true end, give_room = function() end,
    awaits = function(one) self.ensemble:await(one) end,
    hosts = "zk", path = server.PATH, max_instances = 100, known = {},
    reader = znodes.reader(decode.new({method = "nerve"})),
    pause = mutate.pick({0, 0.3}),
    request = self.ensemble:requester(), codes = CODES, now = clock.now,
    log = log, changed = function() self:check_moving() end,
    reported = function() end, moved = function() end,
  })
  self.ensemble:add(self.registry)
  self.server:create(MOVES[1], data(MOVING))
  self.server:connect("new_session")
  return self
end

local function ports(self)
  local list = {}
  for i, one in ipairs(self.registry:instances()) do
    list[i] = one.port
  end
  table.sort(list)
  return list
end

-- Where the path may go, so may whatever is in it.
function world:check_moving()
  local has = false
  for _, instance in ipairs(self.registry:instances()) do
    has = has or instance.port == MOVING
  end
  assert(has or not self.is_known or self.may_drop,
    "an instance is missing that was there all the time")
  self.is_known = has
end

local function take(self)
  local event = self.server:take()
  if event then
    self.ensemble:take(event)
  end
end

local function pass(self, seconds)
  self.clock.pass(seconds)
  self.ensemble:tick()
end

local STEPS = {
  function(self) self.server:answer() end,
  function(self) self.server:answer() end,
  function(self) self.server:answer() end,
  take, take, take, take,
  function(self)
    self.server:create(mutate.pick(NAMES), data(math.random(50)))
  end,
  function(self) self.server:delete(mutate.pick(NAMES)) end,
  function(self) self.server:set(mutate.pick(NAMES), data(math.random(50))) end,
  function(self)
    local before = MOVES[self.moves]
    self.moves = self.moves % #MOVES + 1
    self.server:create(MOVES[self.moves], data(MOVING))
    self.server:delete(before)
  end,
  function(self) self.server:cut() end,
  -- What was said before a connection is heard before it.
  function(self)
    while #self.server.said > 0 do
      take(self)
    end
    self.server:connect(mutate.pick(LINKS))
  end,
  function(self)
    if self.may_drop and mutate.once_in(4) then
      self.server:drop()
    else
      self.server:make()
    end
  end,
  function(self)
    self.server.closed[mutate.pick(NAMES)] = mutate.once_in(4) or nil
  end,
  function(self)
    if mutate.once_in(10) then
      self.ensemble:restart()
    end
  end,
  function(self) pass(self, math.random()) end,
}

local function calm_down(self)
  self.server.closed = {}
  self.server:make()
  self.server:connect("same_handle")
  for _ = 1, CALM_SECONDS do
    while #self.server.said + #self.server.waiting > 0 do
      self.server:answer()
      take(self)
    end
    pass(self, 1)
  end
end

local function check(self)
  local wanted, has = {}, {}
  for _, node in pairs(self.server.nodes) do
    local port = math.tointeger(node.data:match('"port":(%d+)'))
    wanted[#wanted + 1] = not has[port] and port or nil
    has[port] = true
  end
  table.sort(wanted)
  local found = table.concat(ports(self), " ")
  assert(found == table.concat(wanted, " "), "there are " .. found ..
    ", and ZooKeeper has " .. table.concat(wanted, " "))
end

driver.run("orders", function()
  local self = new_world()
  for _ = 1, math.random(150) do
    mutate.pick(STEPS)(self)
  end
  calm_down(self)
  check(self)
end)
