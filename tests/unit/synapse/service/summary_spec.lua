local news = require("synapse.service.summary")

local function placement(changes)
  local one = {placed = {s1 = "a:1"}, pool = {"s1", "s2"},
    waiting = {}}
  for key, value in pairs(changes or {}) do
    one[key] = value
  end
  return one
end

describe("the summary line", function()
  it("is none when nothing happened", function()
    assert.is_nil(news.line(news.new(), "web", placement()))
  end)

  it("names what came, went and changed", function()
    local one = news.new()
    news.add(one, {
      added = {{key = "a:1"}}, removed = {{key = "b:1"}},
      renewed = {
        {before = {key = "c:1"}, now = {key = "c:1", weight = 0}},
        {before = {key = "d:1"}, now = {key = "d:1", name = "other"}},
      },
    })
    one.done = 4
    assert.are.equal("web: 1 instance added (a:1), 1 instance removed " ..
      "(b:1), 1 instance changed (c:1), 4 commands acknowledged, 1 of 2 " ..
      "slots used", news.line(one, "web", placement()))
  end)

  it("names no more than three", function()
    local one = news.new()
    news.add(one, {
      added = {{key = "a"}, {key = "b"}, {key = "c"}, {key = "d"}},
      removed = {}, renewed = {},
    })
    assert.is_truthy(news.line(one, "web", placement())
      :find("4 instances added (a, b, c, ...)", 1, true))
  end)

  it("tells who waits for a slot", function()
    local one = news.new()
    one.done = 1
    assert.is_truthy(news.line(one, "web", placement({waiting = {"x:1"}}))
      :find("1 instance without a slot (x:1)", 1, true))
  end)

  it("tells why they wait", function()
    local one = news.new()
    one.done = 1
    assert.is_truthy(news.line(one, "web", placement({waiting = {"x:1"}}),
      "because"):find("1 instance without a slot (x:1; because)", 1, true))
  end)

  it("tells how many slots were added", function()
    local one = news.new()
    one.done, one.grown = 3, 2
    assert.are.equal("web: 3 commands acknowledged, 2 slots added, 1 of 2 " ..
      "slots used", news.line(one, "web", placement()))
  end)

  it("tells how many slots were deleted", function()
    local one = news.new()
    one.done, one.deleted = 1, 1
    assert.are.equal("web: 1 command acknowledged, 1 slot deleted, 1 of 2 " ..
      "slots used", news.line(one, "web", placement()))
  end)
end)
