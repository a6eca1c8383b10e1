local logger = require("synapse.log")
local new_clock = dofile("tests/fake/clock.lua")

describe("the log", function()
  local clock, lines, log

  before_each(function()
    clock, lines = new_clock(), {}
    log = logger.new({
      now = clock.now,
      write = function(level, line)
        table.insert(lines, level .. " " .. line)
      end,
    })
  end)

  it("says who speaks", function()
    log:info("web: %d added", 3)
    assert.are.same({"info synapse: web: 3 added"}, lines)
  end)

  it("holds no control character and no byte above ASCII", function()
    log:warning("%s", "a\nb\0c\27[31m\xff")
    assert.are.equal("warning synapse: a\\x0ab\\x00c\\x1b[31m\\xff", lines[1])
  end)

  it("cuts long lines", function()
    log:error("%s", ("x"):rep(5000))
    assert.is_true(#lines[1] < 1000)
  end)

  it("looks at no more of a long line than it writes", function()
    local text = ("\n"):rep(2000000)
    collectgarbage("stop")
    local before = collectgarbage("count")
    log:error("%s", text)
    local used = collectgarbage("count") - before
    collectgarbage("restart")
    assert.is_true(used < 8000, used .. " kB: more than some copies")
    assert.are.equal("...", lines[1]:sub(-3))
  end)

  it("drops what is too much, and tells how much it was", function()
    for _ = 1, 1000 do
      log:info("again")
    end
    local written = #lines
    assert.is_true(written >= 100 and written <= 300)
    clock.pass(1)
    log:info("later")
    assert.are.equal(string.format("warning synapse: %d log lines dropped",
      1000 - written), lines[written + 1])
    assert.are.equal("info synapse: later", lines[written + 2])
  end)

  -- What the metrics show goes on; what a line says begins again.
  it("counts all that it ever dropped, and tells of each once", function()
    for _ = 1, 2 do
      for _ = 1, 200 + 7 do
        log:info("again")
      end
      clock.pass(60)
      log:info("later")
      clock.pass(60)
    end
    assert.are.equal(14, log.dropped_ever)
    local told = {}
    for _, line in ipairs(lines) do
      told[#told + 1] = line:match("%d+ log lines dropped")
    end
    assert.are.same({"7 log lines dropped", "7 log lines dropped"}, told)
  end)

  it("has room for 200 lines at once, and for 20 more each second", function()
    for _ = 1, 300 do
      log:info("again")
    end
    assert.are.equal(200, #lines)
    clock.pass(0.5)
    lines = {}
    for _ = 1, 300 do
      log:info("again")
    end
    assert.are.equal(10, #lines)
  end)

  it("tells of dropped lines once a second at most", function()
    for _ = 1, 100 do
      for _ = 1, 1000 do
        log:info("again")
      end
      clock.pass(0.1)
    end
    local told = 0
    for _, line in ipairs(lines) do
      told = told + (line:find("lines dropped", 1, true) and 1 or 0)
    end
    assert.is_true(told >= 8 and told <= 10)
  end)

  it("never drops an alert", function()
    for _ = 1, 1000 do
      log:info("again")
    end
    log:alert("fire")
    assert.are.equal("alert synapse: fire", lines[#lines])
  end)
end)
