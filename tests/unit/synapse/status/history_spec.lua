local history = require("synapse.status.history")

local HOUR = 3600
-- A minute begins then.
local START = 1795643340

describe("a history", function()
  local function shown(text, time)
    local list = {}
    for i, it in ipairs(history.entries(text, time)) do
      list[i] = string.format("%+d: %d >= %d, %d, %d", it.time - START,
        it.ready, it.least, it.changes, it.errors)
    end
    return list
  end

  it("has one entry for all that happens in a minute", function()
    local text = history.add(history.NONE, START, 3, 0, 0)
    text = history.add(text, START + 1, 2, 1, 0)
    text = history.add(text, START + 2.5, 3, 1, 0)
    text = history.add(text, START + 59.9, 3, 0, 7)
    assert.are.same({"+0: 3 >= 2, 2, 7"}, shown(text, START + 60))
  end)

  it("begins a minute with what was ready before", function()
    local text = history.add(history.NONE, START, 3, 0, 0)
    text = history.add(text, START + 120, 5, 2, 0)
    assert.are.same({"+0: 3 >= 3, 0, 0", "+120: 5 >= 3, 2, 0"},
      shown(text, START + 120))
  end)

  it("takes no room for what is no news", function()
    local text = history.add(history.NONE, START, 3, 0, 0)
    assert.are.equal(text, history.add(text, START + 600, 3, 0, 0))
  end)

  it("forgets what is older than an hour, but for how it began", function()
    local text = history.NONE
    for minute = 0, 9 do
      text = history.add(text, START + minute * 60, minute, 1, 0)
    end
    local later = shown(text, START + HOUR + 8 * 60)
    assert.are.same({"+480: 8 >= 7, 1, 0", "+540: 9 >= 8, 1, 0"}, later)
    assert.are.same({"+540: 9 >= 8, 1, 0"}, shown(text, START + 9 * HOUR))
  end)

  it("takes the same room at most, whatever happens", function()
    local text = history.NONE
    for second = 0, 3 * HOUR, 7 do
      text = history.add(text, START + second, second, 2 ^ 33 // 1, 1)
    end
    assert.are.equal(61 * 20, #text)
    assert.are.equal(text, history.decode(history.encode(text)))
  end)

  it("forgets what is to come when the clock is set back", function()
    local text = history.add(history.NONE, START, 3, 0, 0)
    text = history.add(text, START + HOUR, 4, 1, 0)
    assert.are.same({"+0: 3 >= 3, 0, 0"}, shown(text, START + 59))
    text = history.add(text, START - HOUR, 5, 1, 0)
    assert.are.same({"-3600: 5 >= 5, 1, 0"}, shown(text, START))
  end)

  it("comes back from a file as it was", function()
    local text = history.add(history.NONE, START, 3, 0, 0)
    text = history.add(text, START + 120, 5, 2, 9)
    assert.are.equal("29927389 3 3 0 0 29927391 5 3 2 9", history.encode(text))
    assert.are.equal(text, history.decode(history.encode(text)))
    assert.are.equal("", history.encode(history.NONE))
  end)

  it("is none where a file has anything else", function()
    local many = {}
    for minute = 1, 62 do
      many[minute] = minute .. " 1 1 1 1"
    end
    for _, encoded in ipairs({"", "1 2 3 4", "1 2 3 4 x", "1 2 3 4 -5",
      "1 2 3 4 4294967296", "1 2 3 4 1e1", "1 2 3 4 0x5", "1 2 3 4 5.0",
      "7 0 0 0 0 7 0 0 0 0", table.concat(many, " ")})
    do
      assert.are.equal(history.NONE, history.decode(encoded), encoded)
    end
    assert.are.equal(history.NONE, history.decode(nil))
  end)
end)
