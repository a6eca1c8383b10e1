local keeper = require("synapse.snapshot.keeper")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")

describe("the keeper of the snapshot", function()
  local clock, log, written, text, one

  before_each(function()
    clock, log, written, text = new_clock(), new_log(), {}, "first"
    one = keeper.new({
      encode = function() return text end,
      write = function(data)
        table.insert(written, data)
        return #written
      end,
      path = "/run/state", now = clock.now, log = log,
    })
  end)

  local function changed(to)
    text = to
    one:changed()
    clock.pass(0.1)
    one:tick()
  end

  local function ended(code, why)
    one:take({request = #written, code = code, error = why})
  end

  it("writes what changed", function()
    changed("first")
    assert.are.same({"first"}, written)
  end)

  it("writes nothing when nothing changed", function()
    one:tick()
    assert.are.same({}, written)
  end)

  it("writes each minute, once it has written", function()
    clock.pass(60)
    one:tick()
    assert.are.same({}, written)
    changed("first")
    ended(0)
    clock.pass(59)
    one:tick()
    assert.are.same({"first"}, written)
    clock.pass(1)
    one:tick()
    assert.are.same({"first", "first"}, written)
    one:tick()
    ended(0)
    clock.pass(59)
    one:tick()
    assert.are.equal(2, #written)
  end)

  it("writes at most once a second", function()
    changed("first")
    ended(0)
    changed("second")
    clock.pass(0.8)
    one:tick()
    assert.are.same({"first"}, written)
    clock.pass(0.11)
    one:tick()
    assert.are.same({"first", "second"}, written)
  end)

  it("writes the changes of a moment together", function()
    text = "a part"
    one:changed()
    one:tick()
    clock.pass(0.05)
    one:tick()
    assert.are.same({}, written)
    text = "all of it"
    one:changed()
    clock.pass(0.06)
    one:tick()
    assert.are.same({"all of it"}, written)
  end)

  it("does not wait for a change that never ends", function()
    for _ = 1, 12 do
      one:changed()
      one:tick()
      clock.pass(0.01)
    end
    assert.are.equal(1, #written)
  end)

  it("writes what a person did at once", function()
    changed("first")
    ended(0)
    text = "second"
    one:changed_by_hand()
    one:tick()
    assert.are.same({"first", "second"}, written)
  end)

  it("writes one at a time", function()
    changed("first")
    clock.pass(5)
    changed("second")
    assert.are.same({"first"}, written)
    ended(0)
    one:tick()
    assert.are.same({"first", "second"}, written)
  end)

  it("does not write the same again", function()
    changed("first")
    ended(0)
    clock.pass(5)
    changed("first")
    assert.are.same({"first"}, written)
  end)

  it("reports a full disk once, and tries again", function()
    changed("first")
    ended(28, "No space left on device")
    clock.pass(10)
    one:tick()
    ended(28, "No space left on device")
    assert.are.same({"first", "first"}, written)
    assert.are.same({"error: /run/state: cannot be written: No space left " ..
      "on device; the old snapshot stays"}, log.lines)
  end)

  it("tells when writing works again", function()
    changed("first")
    ended(28, "No space left on device")
    clock.pass(10)
    one:tick()
    ended(0)
    assert.are.equal("info: /run/state: written again", log.lines[2])
  end)

  it("writes nothing any more once it is stopped", function()
    one:changed()
    one:stop()
    one:tick()
    assert.are.same({}, written)
  end)

  it("takes no interest in the jobs of others", function()
    changed("first")
    one:take({request = 99, code = 28, error = "No space left on device"})
    assert.are.same({}, log.lines)
  end)

  it("is quiet where no snapshot is kept", function()
    one = keeper.new({encode = error, now = clock.now, log = log})
    one:changed()
    one:tick()
    assert.are.same({}, log.lines)
  end)
end)
