local plan = require("synapse.plan")

local function server(changes)
  local one = {host = "10.0.0.1", port = 80, weight = 1, initial = 1,
    admin = "ready"}
  for key, value in pairs(changes or {}) do
    one[key] = value
  end
  return one
end

local EMPTY = server({host = "127.0.0.1", port = 1, admin = "maint"})

local function texts(wanted, actual)
  local list = {}
  for i, command in ipairs(plan.slot("web", "s1", wanted, actual)) do
    list[i] = command.text
  end
  return list
end

describe("the plan of a slot", function()
  it("is empty when nothing differs", function()
    assert.are.same({}, texts(server(), server()))
  end)

  it("leaves an empty slot alone", function()
    assert.are.same({}, texts(nil, EMPTY))
  end)

  it("fills an empty slot", function()
    assert.are.same({
      "set server web/s1 addr 10.0.0.1 port 80",
      "set server web/s1 state ready",
    }, texts(server(), EMPTY))
  end)

  it("sets the weight before traffic comes", function()
    assert.are.same({
      "set server web/s1 addr 10.0.0.1 port 80",
      "set server web/s1 weight 20",
      "set server web/s1 state ready",
    }, texts(server({weight = 20}), EMPTY))
  end)

  it("does not set the address again for an instance that comes back",
    function()
      assert.are.same({"set server web/s1 state ready"},
        texts(server(), server({admin = "maint"})))
    end)

  it("changes an address only in maint", function()
    assert.are.same({
      "set server web/s1 state maint",
      "set server web/s1 addr 10.0.0.1 port 80",
      "set server web/s1 state ready",
    }, texts(server(), server({port = 81})))
  end)

  it("empties a slot by maint", function()
    assert.are.same({"set server web/s1 state maint"}, texts(nil, server()))
  end)

  it("drains by weight 0, in percent", function()
    assert.are.same({"set server web/s1 weight 0%"},
      texts(server({weight = 0}), server()))
  end)

  it("returns to the configuration's weight in percent", function()
    assert.are.same({"set server web/s1 weight 100%"},
      texts(server({weight = 7, initial = 7}),
        server({weight = 0, initial = 7})))
  end)

  it("keeps an operator's maint while the weight changes", function()
    assert.are.same({"set server web/s1 weight 5"},
      texts(server({weight = 5, admin = "maint"}), server({admin = "maint"})))
  end)

  it("fills a held slot without making it ready", function()
    assert.are.same({"set server web/s1 addr 10.0.0.1 port 80"},
      texts(server({admin = "maint"}), EMPTY))
  end)

  it("tells what holds once each command is acknowledged", function()
    local actual = server({port = 81})
    for _, command in ipairs(plan.slot("web", "s1", server(), actual)) do
      for field, value in pairs(command.change) do
        actual[field] = value
      end
    end
    assert.are.same(server(), actual)
  end)
end)

describe("the plan of a backend", function()
  local pool = {"s1", "s2", "s3"}

  it("has one group for each slot that differs, in the pool's order",
    function()
      local groups = plan.diff("web", pool, {s3 = server(), s2 = server()},
        {s1 = server(), s2 = server(), s3 = EMPTY})
      assert.are.equal(2, #groups)
      assert.are.equal("set server web/s1 state maint", groups[1][1].text)
      assert.are.equal("s3", groups[2][1].slot)
    end)

  it("is the same for the same input", function()
    local wanted = {s1 = server(), s3 = server({weight = 2})}
    local actual = {s1 = EMPTY, s2 = server(), s3 = EMPTY}
    assert.are.same(plan.diff("web", pool, wanted, actual),
      plan.diff("web", pool, wanted, actual))
  end)
end)
