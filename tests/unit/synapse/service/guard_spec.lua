local guard = require("synapse.service.guard")
local new_clock = dofile("tests/fake/clock.lua")

local WINDOW, HOLD = 10, 60

local function instance(number, weight)
  return {key = string.format("10.0.0.%02d:80", number), weight = weight}
end

-- Instances `first` to `last`.
local function range(first, last)
  local list = {}
  for number = first, last do
    list[#list + 1] = instance(number)
  end
  return list
end

local function numbers(instances)
  local list = {}
  for i, one in ipairs(instances) do
    list[i] = math.tointeger(tonumber(one.key:match("(%d+):80$")))
  end
  return list
end

describe("a guard", function()
  local clock, objections, one, report

  local function objection(made)
    return objections[numbers({made})[1]]
  end

  local function take(instances)
    local list
    list, report = one:take(instances, clock.now(), objection)
    return list
  end

  local function new(changes, instances, suspects)
    local settings = {window = WINDOW, share = 0.5, hold = HOLD}
    for key, value in pairs(changes or {}) do
      settings[key] = value
    end
    one = guard.new(settings, instances or {}, suspects or {}, clock.now())
  end

  -- With instances that have been there for a window.
  local function settled(instances, changes)
    new(changes)
    take(instances)
    clock.pass(WINDOW)
    assert.are.equal(instances, take(instances))
  end

  before_each(function()
    clock, objections = new_clock(), {}
  end)

  it("gives the very list back while nothing is suspicious", function()
    settled(range(1, 8))
    local fewer = range(1, 6)
    assert.are.equal(fewer, take(fewer))
    assert.are.same({held = {}, left = {}}, report)
    assert.is_false(one:is_guarding())
  end)

  it("keeps all when all are gone, and says so", function()
    settled(range(1, 20))
    assert.are.same(numbers(range(1, 20)), numbers(take({})))
    assert.are.same({lost = 20, were = 20}, report.mass)
    assert.are.equal(20, #report.held)
    assert.is_true(one:is_guarding())
  end)

  it("keeps half of them, not less", function()
    settled(range(1, 10))
    assert.are.same(numbers(range(5, 10)), numbers(take(range(5, 10))))
    settled(range(1, 10))
    assert.are.same(numbers(range(1, 10)), numbers(take(range(6, 10))))
  end)

  it("goes by the share that it is told", function()
    settled(range(1, 10), {share = 0.8})
    assert.are.equal(3, #take(range(8, 10)))
    settled(range(1, 10), {share = 0.8})
    assert.are.equal(10, #take(range(9, 10)))
  end)

  it("keeps no fewer than three", function()
    settled(range(1, 2))
    assert.are.same({}, take({}))
    settled(range(1, 3))
    assert.are.equal(3, #take({}))
  end)

  it("does nothing where the hold is 0", function()
    settled(range(1, 20), {hold = 0})
    assert.are.same({}, take({}))
  end)

  it("counts removals that come one by one within the window", function()
    settled(range(1, 6))
    take(range(2, 6))
    clock.pass(3)
    assert.are.same({3, 4, 5, 6}, numbers(take(range(3, 6))))
    clock.pass(3)
    assert.are.same({1, 2, 3, 4, 5, 6}, numbers(take(range(4, 6))))
    assert.are.same({lost = 3, were = 6}, report.mass)
  end)

  it("does not count what went before the window", function()
    settled(range(1, 6))
    take(range(2, 6))
    clock.pass(WINDOW)
    take(range(3, 6))
    assert.are.same({4, 5, 6}, numbers(take(range(4, 6))))
  end)

  it("does not count what came within the window", function()
    settled(range(1, 2))
    take(range(1, 20))
    clock.pass(WINDOW - 1)
    assert.are.same({}, take({}))
  end)

  it("takes what came back within the window for never gone", function()
    settled(range(1, 6))
    take({})
    clock.pass(1)
    take(range(1, 6))
    clock.pass(1)
    assert.are.equal(6, #take({}))
  end)

  it("lets go whoever had weight 0, and does not count it", function()
    settled({instance(1), instance(2), instance(3, 0), instance(4, 0),
      instance(5, 0), instance(6, 0), instance(7, 0)})
    assert.are.same({1, 2}, numbers(take({instance(1), instance(2)})))
    settled({instance(1), instance(2), instance(3), instance(4, 0)})
    assert.are.same({1, 2, 3}, numbers(take({})))
    assert.are.same({lost = 3, were = 3}, report.mass)
  end)

  it("goes by the last weight of each", function()
    settled(range(1, 4))
    take({instance(1, 0), instance(2, 0), instance(3), instance(4)})
    assert.are.same({}, take({}))
  end)

  it("keeps those that go later too", function()
    settled(range(1, 10))
    take(range(6, 10))
    clock.pass(WINDOW + 1)
    assert.are.same(numbers(range(1, 10)), numbers(take(range(7, 10))))
    assert.are.same({instance(6).key}, report.held)
    assert.is_nil(report.mass)
  end)

  it("keeps each for the hold, and no longer", function()
    settled(range(1, 8))
    take(range(5, 8))
    clock.pass(20)
    take(range(6, 8))
    clock.pass(HOLD - 21)
    assert.are.equal(8, #take(range(6, 8)))
    clock.pass(1)
    assert.are.same({5, 6, 7, 8}, numbers(take(range(6, 8))))
    assert.are.same({
      {key = instance(1).key, why = "the time is over"},
      {key = instance(2).key, why = "the time is over"},
      {key = instance(3).key, why = "the time is over"},
      {key = instance(4).key, why = "the time is over"},
    }, report.left)
    clock.pass(20)
    assert.are.same({6, 7, 8}, numbers(take(range(6, 8))))
    assert.is_false(one:is_guarding())
  end)

  it("keeps nobody twice for one removal, however long its window is",
    function()
      settled(range(1, 4), {window = WINDOW, hold = 1})
      take({})
      clock.pass(1)
      assert.are.same({}, take({}))
      clock.pass(1)
      assert.are.same({}, take({}))
    end)

  it("lets a suspect go at once against which something speaks, for good",
    function()
      settled(range(1, 4))
      take({})
      objections[2] = "HAProxy's check fails"
      assert.are.same({1, 3, 4}, numbers(take({})))
      assert.are.same({{key = instance(2).key,
        why = "HAProxy's check fails"}}, report.left)
      objections[2] = nil
      assert.are.same({1, 3, 4}, numbers(take({})))
    end)

  it("never keeps one against which something spoke when it went", function()
    settled(range(1, 6))
    objections[1] = "HAProxy's check fails"
    take(range(2, 6))
    objections[1] = nil
    assert.are.same({2, 3, 4, 5, 6}, numbers(take({})))
  end)

  it("never gives one back against which something speaks now", function()
    settled(range(1, 6))
    take(range(2, 6))
    objections[1] = "another instance has the slot"
    assert.are.same({2, 3, 4, 5, 6}, numbers(take({})))
  end)

  it("knows a suspect for an instance again when it registers", function()
    settled(range(1, 4))
    take({})
    assert.are.equal(4, #take(range(1, 3)))
    assert.are.same({
      {key = instance(1).key, why = "registered again"},
      {key = instance(2).key, why = "registered again"},
      {key = instance(3).key, why = "registered again"},
    }, report.left)
    local all = range(1, 4)
    assert.are.equal(all, take(all))
    assert.is_false(one:is_guarding())
  end)

  it("lets others come meanwhile, and change their weight", function()
    settled(range(1, 4))
    take({})
    local list = take({instance(5), instance(6, 3)})
    assert.are.same({1, 2, 3, 4, 5, 6}, numbers(list))
    assert.are.equal(3, list[6].weight)
  end)

  it("tells until when each suspect stays", function()
    settled(range(1, 3))
    take({})
    assert.are.equal(clock.now() + HOLD, one:suspects()[instance(2).key])
  end)

  describe("that begins with what there was", function()
    it("protects it from the first read on", function()
      new(nil, range(1, 5))
      assert.are.equal(5, #take({}))
    end)

    it("has its suspects for the rest of their time", function()
      local suspects = {[instance(1).key] = clock.now() + 5}
      new(nil, range(1, 8), suspects)
      assert.are.equal(8, #take(range(2, 8)))
      clock.pass(5)
      assert.are.equal(7, #take(range(2, 8)))
    end)

    -- Nobody looked at them any more, so that they stayed suspects for ever,
    -- and HAProxy was asked for the state of their slots each second.
    it("has no suspects where it is turned off since", function()
      new({hold = 0}, range(1, 8), {[instance(1).key] = clock.now() + 5})
      assert.is_false(one:is_guarding())
      assert.are.equal(7, #take(range(2, 8)))
      assert.are.same({}, one:suspects())
    end)

    it("keeps none longer than a hold, whatever the clock was", function()
      new(nil, range(1, 8), {[instance(1).key] = clock.now() + 9999})
      clock.pass(HOLD)
      assert.are.equal(7, #take(range(2, 8)))
    end)
  end)
end)

describe("against a suspect", function()
  local one = {key = "10.0.0.1:80", host = "10.0.0.1", port = 80}

  local function objection(check, host)
    return guard.objection(one,
      {host = host or "10.0.0.1", port = 80, check = check})
  end

  it("nothing speaks while its check passes or rests", function()
    assert.is_nil(objection("passes"))
    assert.is_nil(objection(nil))
  end)

  it("speaks its own failing check, not that of the slot's last instance",
    function()
      assert.are.equal("HAProxy's check fails", objection("fails"))
      assert.is_nil(objection("fails", "10.0.0.2"))
    end)

  it("speaks that there is no check, or no slot", function()
    assert.are.equal("the slot has no check", objection("none"))
    assert.are.equal("another instance has the slot",
      guard.objection(one, nil))
  end)
end)
