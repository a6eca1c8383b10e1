local order = require("synapse.service.operator_order")

local function clock(now, wall)
  return {now = now, wall = wall}
end

describe("an order", function()
  local given

  before_each(function()
    given = order.new("disk errors", 60, clock(100, 5000.5))
  end)

  it("has an end by both clocks", function()
    assert.are.same({reason = "disk errors", since = 5000, till = 5060.5,
      ends = 160}, given)
    assert.is_false(order.is_over(given, 159.9))
    assert.is_true(order.is_over(given, 160))
  end)

  it("without a time never ends by itself", function()
    given = order.new("disk errors", nil, clock(100, 5000))
    assert.is_false(order.is_over(given, 1e9))
    assert.are.equal(given, order.follow(given, clock(200, 9000)))
  end)

  it("does not last longer because somebody set the clock", function()
    local followed = order.follow(given, clock(110, 1000))
    assert.are.equal(160, followed.ends)
    assert.are.equal(1050, followed.till)
  end)

  it("keeps what people are told while the clock only drifts", function()
    assert.are.equal(given, order.follow(given, clock(110, 5010.9)))
  end)

  describe("that was kept", function()
    it("goes on after a reload, whatever the clock says", function()
      local kept = order.resume(given, true, clock(130, 9999999))
      assert.are.equal(160, kept.ends)
    end)

    it("goes by the time of day after another boot", function()
      local kept = order.resume(given, false, clock(303, 5040.5))
      assert.are.equal(323, kept.ends)
    end)

    it("is over after another boot that took too long", function()
      local kept = order.resume(given, false, clock(300, 6000))
      assert.is_true(order.is_over(kept, 300))
    end)

    it("lasts no longer than it was to where the clock of another boot is " ..
      "before the order", function()
        local kept = order.resume(given, false, clock(300, 1000))
        assert.are.equal(360.5, kept.ends)
      end)

    it("does not end while the clock of another boot may not be set yet",
      function()
        local kept = order.resume(given, false, clock(3, 6000))
        assert.is_false(order.is_over(kept, 299))
        assert.are.equal(kept, order.follow(kept, clock(299, 6000)))
        kept = order.follow(kept, clock(300, 5030.5))
        assert.are.equal(330, kept.ends)
      end)

    it("of no time has none afterwards", function()
      local kept = order.resume(order.new("x", nil, clock(1, 1)), false,
        clock(2, 2))
      assert.are.same({reason = "x", since = 1}, kept)
    end)
  end)

  it("says its end and its reason", function()
    assert.are.equal(" until 1970-01-01T01:24:20Z: disk errors",
      order.words(given))
    assert.are.equal("", order.words(nil))
    assert.are.equal("", order.words(order.new(nil, nil, clock(1, 1))))
  end)
end)

describe("a reason", function()
  it("is plain text of some length", function()
    assert.is_nil(order.objection("disk errors, für Anna"))
    assert.are.equal("is empty", order.objection(""))
    assert.are.equal("is not plain text", order.objection("a\27[2J"))
    assert.are.equal("is not plain text", order.objection("a\xFF"))
    assert.is_nil(order.objection(("x"):rep(200)))
    assert.are.equal("has more than 200 bytes",
      order.objection(("x"):rep(201)))
  end)
end)
