local holds = require("synapse.service.operator_state")

local function observe(given)
  return holds.observe({s1 = "a:1"}, {["a:1"] = given.held},
    {s1 = given.acknowledged}, {s1 = {admin = given.admin}})
end

describe("a slot out of traffic", function()
  it("is the operator's when its last acknowledged command was ready",
    function()
      local now, changes =
        observe({acknowledged = "ready", admin = "maint"})
      assert.are.same({["a:1"] = "maint"}, now)
      assert.are.same({{key = "a:1", from = "ready", to = "maint"}}, changes)
    end)

  it("is the operator's when it drains", function()
    assert.are.same({["a:1"] = "drain"},
      (observe({acknowledged = "ready", admin = "drain"})))
  end)

  it("is ours to repair when no ready was acknowledged", function()
    local now, changes =
      observe({acknowledged = "maint", admin = "maint"})
    assert.are.same({}, now)
    assert.are.same({}, changes)
  end)

  it("is ours to repair when a command was lost", function()
    assert.are.same({}, (observe({acknowledged = "unknown", admin = "maint"})))
  end)

  it("stays the operator's, whatever was acknowledged since", function()
    local now, changes =
      observe({held = "maint", acknowledged = "maint", admin = "maint"})
    assert.are.same({["a:1"] = "maint"}, now)
    assert.are.same({}, changes)
  end)
end)

describe("a hold", function()
  it("ends when the operator makes the slot ready", function()
    local now, changes =
      observe({held = "maint", acknowledged = "ready", admin = "ready"})
    assert.are.same({}, now)
    assert.are.same({{key = "a:1", from = "maint", to = "ready"}}, changes)
  end)

  it("follows the operator from maint to drain", function()
    assert.are.same({["a:1"] = "drain"},
      (observe({held = "maint", acknowledged = "maint", admin = "drain"})))
  end)
end)

describe("an empty slot", function()
  it("is nobody's", function()
    local now = holds.observe({}, {}, {s1 = "ready"}, {s1 = {admin = "maint"}})
    assert.are.same({}, now)
  end)
end)
