local operator_state = require("synapse.service.operator_state")
local new_clock = dofile("tests/fake/clock.lua")

local KEY = "10.0.0.1:80"

local function new(given, now)
  return operator_state.new({
    states = {[KEY] = given.state}, departed = given.departed or {},
    keep = 60, now = now or function() return 0 end,
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
