local usable = require("synapse.haproxy.usable")
local new_clock = dofile("tests/fake/clock.lua")

describe("the number of usable servers", function()
  local clock, active, backups, compared, compared_at, idle, numbers
  local errors, erred, counted, all_errors, slots, ready
  local web = {name = "web", backend = "www"}

  before_each(function()
    clock, active, backups, compared, idle = new_clock(), 2, 0, 0, 0
    compared_at, errors, erred = nil, 0, {}
    counted, all_errors, slots, ready = 0, 0, 0, 2
    numbers = usable.new({
      now = clock.now,
      active = function(backend)
        assert.are.equal("www", backend)
        return active, backups, errors
      end,
      errors = function(backend)
        assert.are.equal("www", backend)
        counted = counted + 1
        return all_errors
      end,
      erred = function(service, number)
        table.insert(erred, service.name .. " " .. number)
      end,
      slots = function() return slots end,
      ready = function() return ready end,
      compare = function() compared = compared + 1 end,
      compared_at = function() return compared_at end,
      idle = function() return idle end,
    })
  end)

  it("has its servers' states asked for when it changes", function()
    numbers:look_at(web)
    numbers:look_at(web)
    assert.are.equal(0, compared)
    active = 1
    numbers:look_at(web)
    assert.are.equal(1, compared)
    numbers:look_at(web)
    assert.are.equal(1, compared)
  end)

  it("comes with the number of errors, told where that is another one",
    function()
      numbers:look_at(web)
      numbers:look_at(web)
      errors = 3
      numbers:look_at(web)
      assert.are.same({"web 0", "web 3"}, erred)
      assert.are.equal(0, compared)
    end)

  -- A thousand services would take a fiftieth of a processor for nothing else.
  it("comes without the errors where these are much work: they are counted " ..
    "twice a minute", function()
      errors, all_errors = nil, 3
      numbers:look_at(web)
      numbers:count(web)
      assert.are.same({"web 3"}, erred)
      all_errors = 4
      clock.pass(29)
      numbers:look_at(web)
      assert.are.equal(1, counted)
      clock.pass(1)
      numbers:look_at(web)
      assert.are.same({"web 3", "web 4"}, erred)
      numbers:forget(web)
      numbers:look_at(web)
      assert.are.equal(3, counted)
    end)

  it("comes with the errors where these are no work: nobody counts them again",
    function()
      numbers:look_at(web)
      assert.are.equal(0, counted)
      clock.pass(59)
      numbers:look_at(web)
      clock.pass(59)
      numbers:look_at(web)
      assert.are.equal(0, counted)
    end)

  -- HAProxy 2.6 took 1.5 ms for each count of a thousand servers.
  it("is counted the more seldom the more slots there are", function()
    slots = 500
    numbers:look_at(web)
    active = 1
    numbers:look_at(web)
    clock.pass(0.9)
    numbers:look_at(web)
    assert.are.equal(0, compared)
    clock.pass(0.1)
    numbers:look_at(web)
    assert.are.equal(1, compared)
  end)

  it("is no news once commands have changed it", function()
    numbers:look_at(web)
    active, ready = 1, 1
    numbers:changed(web)
    numbers:look_at(web)
    assert.are.equal(0, compared)
    slots = 500
    numbers:look_at(web)
    active, ready = 0, 0
    numbers:changed(web)
    assert.is_nil(numbers:of("web"))
    clock.pass(1)
    numbers:look_at(web)
    assert.are.equal(0, compared)
    active = 1
    clock.pass(1)
    numbers:look_at(web)
    assert.are.equal(1, compared)
  end)

  -- An operator's maint within a millisecond of a command of the agent's was
  -- noticed up to 30 s later.
  it("is news if commands have changed it to another one than they should",
    function()
      numbers:look_at(web)
      ready = 3 -- one comes, and the operator takes another one
      numbers:changed(web)
      assert.are.equal(1, compared)
      numbers:look_at(web)
      numbers:changed(web)
      assert.are.equal(1, compared)
    end)

  it("is news later if it cannot be counted yet", function()
    slots = 500
    numbers:look_at(web)
    ready = 3
    numbers:changed(web)
    assert.are.equal(0, compared)
    clock.pass(1)
    numbers:look_at(web)
    assert.are.equal(1, compared)
    clock.pass(1)
    numbers:look_at(web)
    assert.are.equal(1, compared)
  end)

  it("may differ from those that should be ready, if always by as many",
    function()
      active = 1
      numbers:changed(web)
      assert.are.equal(1, compared)
      active, ready = 2, 3
      numbers:changed(web)
      assert.are.equal(1, compared)
      numbers:forget(web)
      active, ready = 3, 3
      numbers:changed(web)
      assert.are.equal(1, compared)
    end)

  it("is counted each time where that is no work", function()
    errors, slots = nil, 5000
    numbers:look_at(web)
    active = 1
    numbers:look_at(web)
    assert.are.equal(1, compared)
  end)

  it("is not known where only backups serve", function()
    numbers:count(web)
    assert.are.equal(2, numbers:of("web"))
    active, backups = 0, 3
    numbers:count(web)
    assert.is_nil(numbers:of("web"))
  end)

  it("may be told by a request, and is counted before it is believed",
    function()
      numbers:count(web)
      assert.is_false(numbers:see(web, {usable = 1, idle = 0}))
      active = 1
      assert.is_true(numbers:see(web, {usable = 1, idle = 0}))
      assert.are.equal(1, compared)
    end)

  -- What an operator does to a server that is down changes no number.
  it("matters not for servers that are unused: they are asked for each second",
    function()
      compared_at = clock.now()
      numbers:count(web)
      assert.is_false(numbers:see(web, {usable = 2, idle = 1}))
      clock.pass(1)
      assert.is_true(numbers:see(web, {usable = 2, idle = 1}))
      idle = 100
      assert.is_false(numbers:see(web, {usable = 2, idle = 1}))
      clock.pass(5)
      assert.is_true(numbers:see(web, {usable = 2, idle = 1}))
    end)
end)
