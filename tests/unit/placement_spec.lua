local placement = require("synapse.placement")

local function instance(key, weight)
  return {key = key, weight = weight}
end

local function found(changes)
  return {added = changes.added or {}, removed = changes.removed or {},
    renewed = changes.renewed or {}}
end

describe("a placement", function()
  local sessions, one

  local function new(...)
    sessions = {}
    one = placement.new({"s1", "s2"}, {}, {...},
      function(slot) return sessions[slot] or 0 end, {})
  end

  it("has each instance in a slot", function()
    new(instance("a"), instance("b"))
    local keys = {one:at("s1").key, one:at("s2").key}
    table.sort(keys)
    assert.are.same({"a", "b"}, keys)
  end)

  it("tells which slot an instance left", function()
    new(instance("a"))
    local slot = one.slot_of.a
    local left, touched = one:change(found({removed = {instance("a")}}))
    assert.are.same({slot}, left)
    assert.are.same({}, touched)
    assert.is_nil(one:at(slot))
  end)

  it("tells which slot an instance got, or has renewed", function()
    new(instance("a"))
    local now = instance("a", 7)
    local _, touched = one:change(found({added = {instance("b")},
      renewed = {{before = instance("a"), now = now}}}))
    table.sort(touched)
    assert.are.same({"s1", "s2"}, touched)
    assert.are.equal(now, one:at(one.slot_of.a))
  end)

  it("gives the slot that one left to whoever waits", function()
    new(instance("a"), instance("b"), instance("c"))
    assert.are.same({"c"}, one.waiting)
    local slot = one.slot_of.a
    one:change(found({removed = {instance("a")}}))
    assert.are.equal("c", one:at(slot).key)
    assert.are.same({}, one.waiting)
  end)

  it("forgets one that waited and went", function()
    new(instance("a"), instance("b"), instance("c"))
    one:change(found({removed = {instance("c")}}))
    assert.are.same({}, one.waiting)
  end)

  it("asks for sessions only where a slot was left", function()
    new(instance("a"))
    local asked = 0
    one.sessions = function()
      asked = asked + 1
      return 0
    end
    one:change(found({added = {instance("b")}}))
    assert.are.equal(0, asked)
  end)

  it("gives a slot that is added to whoever waits", function()
    new(instance("a"), instance("b"), instance("d"), instance("c"))
    one:grow("s3")
    assert.are.equal("c", one:at("s3").key)
    assert.are.same({"d"}, one.waiting)
    assert.are.equal("s3", one.slot_of.c)
    one:grow("s4")
    one:grow("s5")
    assert.is_nil(one:at("s5"))
  end)

  it("lets whoever had a lost slot move, or wait", function()
    new(instance("a"), instance("b"))
    one:shrink({"s1"})
    assert.is_not_nil(one:at("s1"))
    assert.are.equal(1, #one.waiting)
  end)
end)

describe("host names", function()
  local function any(key)
    return {key = key, is_name = key:find("^%a") ~= nil or nil}
  end

  local function place(placed, ...)
    local list = {}
    for i, key in ipairs({...}) do
      list[i] = any(key)
    end
    return placement.new({"s1", "n1"}, placed, list, function() return 0 end,
      {n1 = true})
  end

  it("and addresses have slots of their own", function()
    local one = place({}, "10.0.0.1:80", "a.b:80")
    assert.are.same({s1 = "10.0.0.1:80", n1 = "a.b:80"}, one.placed)
  end)

  it("wait for a slot of theirs, and for no other", function()
    local one = place({}, "a.b:80", "c.d:80")
    assert.are.same({"c.d:80"}, one.waiting)
    assert.are.equal(0, one:growable())
    one:change({added = {any("10.0.0.1:80"), any("10.0.0.2:80")},
      removed = {}, renewed = {}})
    assert.are.equal(1, one:growable())
    one:grow("s2")
    assert.are.equal("10.0.0.2:80", one.placed.s2)
    assert.are.same({"c.d:80"}, one.waiting)
    one:change({added = {}, removed = {any("a.b:80")}, renewed = {}})
    assert.are.equal("c.d:80", one.placed.n1)
  end)

  it("leave a slot that is not for them any more", function()
    local one = place({s1 = "a.b:80"}, "a.b:80")
    assert.are.same({n1 = "a.b:80"}, one.placed)
  end)
end)
