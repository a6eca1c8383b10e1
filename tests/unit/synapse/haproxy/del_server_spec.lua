local del_server = require("synapse.haproxy.del_server")
local new_clock = dofile("tests/fake/clock.lua")

local DELETED = "Server deleted."
local KEPT = "Server still has connections attached to it, cannot remove it."

describe("a removal", function()
  local clock, used, at_rest, one

  local function new(can)
    clock, used, at_rest = new_clock(), {}, {}
    one = del_server.new({backend = "web", can = can, now = clock.now})
  end

  local function groups()
    return one:groups(function(slot) return used[slot] == true end,
      function(slot) return at_rest[slot] ~= false end)
  end

  local function texts()
    local list = {}
    for _, group in ipairs(groups()) do
      assert.are.equal(1, #group)
      list[#list + 1] = group[1].text
    end
    return list
  end

  before_each(function()
    new(true)
    one:emptied("s3")
  end)

  it("deletes a slot that has been empty for a while", function()
    clock.pass(9.9)
    assert.is_false(one:is_due())
    assert.are.same({}, texts())
    clock.pass(0.1)
    assert.is_true(one:is_due())
    assert.are.same({"del server web/s3"}, texts())
  end)

  it("deletes nothing where HAProxy could crash", function()
    new(false)
    one:emptied("s3")
    clock.pass(1000)
    assert.is_false(one:is_due())
    assert.are.same({}, texts())
  end)

  it("begins again when the slot is emptied again", function()
    clock.pass(9)
    one:emptied("s3")
    clock.pass(9)
    assert.is_false(one:is_due())
  end)

  it("leaves a slot that is used again", function()
    clock.pass(10)
    used.s3 = true
    assert.are.same({}, texts())
    used.s3 = nil
    assert.is_false(one:is_due())
  end)

  it("lets a slot rest again that has sessions", function()
    clock.pass(10)
    at_rest.s3 = false
    assert.are.same({}, texts())
    assert.is_false(one:is_due())
    at_rest.s3 = nil
    clock.pass(10)
    assert.are.same({"del server web/s3"}, texts())
  end)

  it("forgets a slot that HAProxy does not have", function()
    one:forget("s3")
    clock.pass(10)
    assert.is_false(one:is_due())
  end)

  it("deletes so many at once, in the order of their names", function()
    for i = 1, 60 do
      one:emptied(string.format("t%02d", i))
    end
    clock.pass(10)
    local list = texts()
    assert.are.equal(50, #list)
    assert.are.equal("del server web/s3", list[1])
    assert.are.equal("del server web/t49", list[50])
  end)

  it("asks once while the answer is awaited", function()
    clock.pass(10)
    one:sent("s3", "plain")
    assert.is_false(one:is_due())
    assert.are.same({}, texts())
  end)

  it("has forgotten a slot that is deleted", function()
    one:sent("s3", "plain")
    assert.is_nil(one:done("s3", DELETED))
    assert.are.same({}, one:take_lost())
  end)

  it("gives a slot back that HAProxy keeps", function()
    one:sent("s3", "backup")
    assert.are.equal("backup", one:done("s3", KEPT))
  end)

  it("pauses once for all after a refusal", function()
    one:emptied("s4")
    clock.pass(10)
    one:sent("s3", "plain")
    one:sent("s4", "backup")
    assert.are.same({"plain", 60}, {one:refuse("s3")})
    assert.are.same({"backup"}, {one:refuse("s4")})
    one:emptied("s3")
    clock.pass(59)
    assert.is_false(one:is_due())
    assert.are.same({}, texts())
    clock.pass(1)
    assert.is_true(one:is_due())
    assert.are.same({"del server web/s3"}, texts())
  end)

  it("tells once which answers were lost", function()
    one:sent("s3", "plain")
    assert.are.same({s3 = "plain"}, one:take_lost())
    assert.are.same({}, one:take_lost())
  end)
end)
