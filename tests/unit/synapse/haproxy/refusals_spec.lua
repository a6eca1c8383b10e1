local refusals = require("synapse.haproxy.refusals")
local new_clock = dofile("tests/fake/clock.lua")

describe("a refused command", function()
  local clock, one

  before_each(function()
    clock = new_clock()
    one = refusals.new(clock.now)
  end)

  it("is not tried until it is due", function()
    assert.are.equal(1, one:add("s1", "weight"))
    assert.are.equal("weight", one:pending("s1"))
    assert.is_false(one:is_due())
    clock.pass(1)
    assert.is_nil(one:pending("s1"))
    assert.is_true(one:is_due())
  end)

  it("waits twice as long each time, at most a minute", function()
    local delays = {}
    for i = 1, 8 do
      delays[i] = one:add("s1", "weight")
    end
    assert.are.same({1, 2, 4, 8, 16, 32, 60, 60}, delays)
  end)

  it("of another slot waits for itself", function()
    one:add("s1", "weight")
    assert.are.equal(1, one:add("s2", "weight"))
    assert.is_nil(one:pending("s3"))
  end)

  it("is forgotten, and begins with a second again", function()
    one:add("s1", "weight")
    one:forget("s1")
    assert.is_nil(one:pending("s1"))
    assert.are.equal(1, one:add("s1", "weight"))
  end)

  it("is not forgotten for the success of another", function()
    one:add("s1", "weight")
    one:forget("s1", "addr")
    assert.are.equal("weight", one:pending("s1"))
    one:forget("s1", "weight")
    assert.is_nil(one:pending("s1"))
  end)
end)
