local operator_state = require("synapse.service.operator_state")
local new_clock = dofile("tests/fake/clock.lua")

local KEY = "10.0.0.1:80"

local function new(given, now)
  return operator_state.new({
    states = {[KEY] = given.state}, departed = given.departed or {},
    keep = 60, now = now or function() return 0 end,
    orders = given.orders, same_boot = true,
    wall = now or function() return 0 end,
  })
end

local function observe(given)
  local operator = new(given)
  local changes = operator:observe({s1 = KEY}, {s1 = given.acknowledged},
    {s1 = {admin = given.admin}})
  return operator.states[KEY], changes[1]
end

describe("a slot out of traffic", function()
  it("is the operator's when its last acknowledged command was ready",
    function()
      local state, change = observe({acknowledged = "ready", admin = "maint"})
      assert.are.equal("maint", state)
      assert.are.same({key = KEY, from = "ready", to = "maint"}, change)
    end)

  it("is the operator's when it drains", function()
    assert.are.equal("drain",
      (observe({acknowledged = "ready", admin = "drain"})))
  end)

  it("is ours to repair when no ready was acknowledged", function()
    local state, change = observe({acknowledged = "maint", admin = "maint"})
    assert.is_nil(state)
    assert.is_nil(change)
  end)

  it("is ours to repair when a command was lost", function()
    assert.is_nil((observe({acknowledged = "unknown", admin = "maint"})))
  end)

  it("stays the operator's, whatever was acknowledged since", function()
    local state, change = observe(
      {state = "maint", acknowledged = "maint", admin = "maint"})
    assert.are.equal("maint", state)
    assert.is_nil(change)
  end)
end)

describe("an operator's state", function()
  it("ends when the operator makes the slot ready", function()
    local state, change = observe(
      {state = "maint", acknowledged = "ready", admin = "ready"})
    assert.is_nil(state)
    assert.are.same({key = KEY, from = "maint", to = "ready"}, change)
  end)

  it("follows the operator from maint to drain, and back", function()
    assert.are.equal("drain", (observe(
      {state = "maint", acknowledged = "maint", admin = "drain"})))
    assert.are.equal("maint", (observe(
      {state = "drain", acknowledged = "ready", admin = "maint"})))
  end)

  it("is a drain still where the drain was not sent to the slot yet", function()
    assert.are.equal("drain", (observe(
      {state = "drain", acknowledged = "unknown", admin = "maint"})))
  end)

  it("is not changed by slots without an instance", function()
    local operator = new({state = "maint"})
    assert.are.same({}, operator:observe({}, {s1 = "ready"},
      {s1 = {admin = "maint"}}))
    assert.are.equal("maint", operator.states[KEY])
  end)
end)

describe("the state of an instance that is gone", function()
  local clock, operator

  before_each(function()
    clock = new_clock()
    operator = new({state = "maint"}, clock.now)
    operator:leave(KEY)
  end)

  it("is there again when the instance comes back soon", function()
    clock.pass(59)
    operator:come(KEY)
    clock.pass(60)
    operator:leave("10.0.0.2:80")
    assert.are.equal("maint", operator.states[KEY])
  end)

  it("is forgotten after its time", function()
    clock.pass(60)
    operator:come(KEY)
    assert.is_nil(operator.states[KEY])
    assert.are.same({}, operator:departed())
  end)

  it("is told to the next run, which keeps it no longer", function()
    local departed = operator:departed()
    assert.are.same({[KEY] = {state = "maint", till = clock.now() + 60}},
      departed)
    departed[KEY].till = clock.now() + 9999
    operator = new({departed = departed}, clock.now)
    assert.are.equal("maint", operator.states[KEY])
    clock.pass(60)
    operator:come(KEY)
    assert.is_nil(operator.states[KEY])
  end)
end)

describe("what the last run left", function()
  local function departed(state, order)
    return {[KEY] = {state = state, till = 50, order = order}}
  end

  it("has a drain of an instance that is gone, and its order", function()
    local operator = new({departed = departed("drain",
      {reason = "disk", since = 0, till = 600, ends = 600})})
    assert.are.equal("drain", operator.states[KEY])
    assert.are.equal("disk", operator.orders[KEY].reason)
    assert.are.equal("drain", operator:departed()[KEY].state)
  end)

  it("has no other state of it", function()
    assert.is_nil(new({departed = departed("ready")}).states[KEY])
  end)

  it("is of an instance that is there what it has now", function()
    local operator = new({state = "drain", departed = departed("maint")})
    assert.are.equal("drain", operator.states[KEY])
    assert.are.same({}, operator:departed())
  end)
end)

-- A state that is ordered of the agent is on its way for a while. What HAProxy
-- says until then may be older: it must not take an order of `maint` back.
describe("an order", function()
  local clock, operator

  local function see(acknowledged, admin)
    return operator:observe({s1 = KEY}, {s1 = acknowledged},
      {s1 = {admin = admin}})
  end

  before_each(function()
    clock = new_clock()
    operator = new({}, clock.now)
  end)

  it("is not taken back by what HAProxy had before", function()
    operator:order(KEY, "maint", "disk", nil)
    assert.are.same({}, see("unknown", "ready"))
    assert.are.equal("maint", operator.states[KEY])
    assert.is_true(operator:is_awaited(KEY))
    assert.are.same({}, see("maint", "maint"))
    assert.is_false(operator:is_awaited(KEY))
  end)

  it("to be ready ends a maint by hand that nobody has noticed yet", function()
    operator:order(KEY, "ready")
    assert.are.same({}, see("unknown", "maint"))
    assert.is_nil(operator.states[KEY])
    assert.is_true(operator:is_awaited(KEY))
  end)

  it("gives way to the operator's hand once it is done", function()
    operator:order(KEY, "maint", "disk", 60)
    see("maint", "maint")
    assert.are.same({{key = KEY, from = "maint", to = "ready"}},
      see("ready", "ready"))
    assert.is_nil(operator.orders[KEY])
  end)

  it("ends by itself", function()
    operator:order(KEY, "drain", nil, 60)
    clock.pass(59.9)
    assert.are.same({}, operator:expire())
    clock.pass(0.1)
    assert.are.same({{key = KEY, from = "drain", is_gone = false}},
      operator:expire())
    assert.is_nil(operator.states[KEY])
    assert.are.same({}, operator:expire())
  end)

  it("with an end is kept until then, though its instance is gone",
    function()
      operator:order(KEY, "maint", "deploy", 600)
      operator:leave(KEY)
      clock.pass(500)
      operator:come(KEY)
      assert.are.equal("maint", operator.states[KEY])
      operator:leave(KEY)
      clock.pass(100)
      assert.is_true(operator:expire()[1].is_gone)
      assert.are.same({}, operator:departed())
      assert.is_false(operator:is_awaited(KEY))
    end)

  it("is not awaited of an instance that is gone", function()
    operator:order(KEY, "maint")
    assert.is_true(operator:is_awaited(KEY))
    operator:leave(KEY)
    assert.is_false(operator:is_awaited(KEY))
  end)

  it("is done where HAProxy has the state already", function()
    operator:order(KEY, "maint")
    assert.are.same({}, see("unknown", "maint"))
    assert.is_false(operator:is_awaited(KEY))
  end)

  it("shows its end by the clock that people see, which may be set", function()
    local wall = 1000
    operator = operator_state.new({states = {}, departed = {}, keep = 60,
      now = clock.now, wall = function() return wall end})
    operator:order(KEY, "maint", "deploy", 60)
    operator:order("10.0.0.2:80", "maint")
    assert.are.same({}, operator:follow_clock())
    wall = 5000
    assert.are.same({KEY}, operator:follow_clock())
    assert.are.equal(5060, operator.orders[KEY].till)
    assert.are.same({}, operator:follow_clock())
  end)

  it("is there again in the next run", function()
    operator:order(KEY, "maint", "deploy", 600)
    local kept = operator.orders
    operator = new({state = "maint", orders = {[KEY] = kept[KEY]}}, clock.now)
    clock.pass(600)
    assert.are.equal(KEY, operator:expire()[1].key)
  end)
end)

describe("several instances", function()
  local KEYS = {}
  for i = 1, 8 do
    KEYS[i] = "10.0.0." .. i .. ":80"
  end

  local function keys_of(list)
    local keys = {}
    for i, each in ipairs(list) do
      keys[i] = each.key
    end
    return keys
  end

  it("are told of in the order of their keys", function()
    local clock = new_clock()
    local operator = new({}, clock.now)
    local placed, acknowledged, actual = {}, {}, {}
    for i, key in ipairs(KEYS) do
      operator:order(key, "drain", nil, 60)
      placed["s" .. i], acknowledged["s" .. i] = key, "drain"
      actual["s" .. i] = {admin = "drain"}
    end
    assert.are.same({}, operator:observe(placed, acknowledged, actual))
    for i = 1, #KEYS do
      actual["s" .. i] = {admin = "maint"}
    end
    assert.are.same(KEYS,
      keys_of(operator:observe(placed, acknowledged, actual)))
    for _, key in ipairs(KEYS) do
      operator:order(key, "drain", nil, 60)
    end
    clock.pass(60)
    assert.are.same(KEYS, keys_of(operator:expire()))
  end)

  it("that are gone are forgotten each in its time", function()
    local clock = new_clock()
    local operator = new({state = "maint"}, clock.now)
    operator:leave(KEY)
    operator:order(KEYS[2], "drain")
    clock.pass(60)
    operator:leave(KEYS[2])
    assert.are.same({[KEYS[2]] = {state = "drain", till = clock.now() + 60,
      order = operator.orders[KEYS[2]]}}, operator:departed())
  end)
end)
