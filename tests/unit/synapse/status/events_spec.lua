local events = require("synapse.status.events")
local new_clock = dofile("tests/fake/clock.lua")

describe("events", function()
  local clock, kept

  before_each(function()
    clock = new_clock()
    kept = events.new(3, clock.now)
  end)

  local function numbers(list)
    local found = {}
    for i, one in ipairs(list) do
      found[i] = one.number
    end
    return found
  end

  it("have numbers from one on, and the time", function()
    kept:add({to = "a"})
    clock.pass(5)
    kept:add({to = "b"})
    assert.are.same({{number = 1, time = 1000, to = "a"},
      {number = 2, time = 1005, to = "b"}}, kept:since(0))
  end)

  it("are the last ones alone", function()
    for _ = 1, 5 do
      kept:add({})
    end
    assert.are.same({3, 4, 5}, numbers(kept:since(0)))
    assert.are.same({5}, numbers(kept:since(4)))
    assert.are.same({}, kept:since(5))
    assert.are.same({}, kept:since(999))
  end)
end)
