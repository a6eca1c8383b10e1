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

  it("is there again in the next run", function()
    operator:order(KEY, "maint", "deploy", 600)
    local kept = operator.orders
    operator = new({state = "maint", orders = {[KEY] = kept[KEY]}}, clock.now)
    clock.pass(600)
    assert.are.equal(KEY, operator:expire()[1].key)
  end)
end)
