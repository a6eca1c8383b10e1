local backends = require("synapse.haproxy.backends")

local function problems(backend)
  return backends.problems({{name = "web", backend = "www"}},
    function(name) return name == "www" and backend or nil end)
end

describe("the backend of a service", function()
  it("is right with slots that are disabled", function()
    assert.are.same({}, problems({slots = 1, sure = true, is_disabled = true}))
  end)

  it("is right with slots where nobody knows more", function()
    assert.are.same({}, problems({slots = 1, sure = true}))
    assert.are.same({}, problems({slots = 0, sure = false}))
  end)

  it("that is missing is named, with the line to add", function()
    assert.are.same({"services.web: backend www is not in HAProxy's " ..
      "configuration; add it, with a line " ..
      "`server-template s 1-16 slot.invalid:1 init-addr last,127.0.0.1 " ..
      "disabled`"}, problems(nil))
  end)

  it("without slots is named, with the line to add", function()
    assert.are.same({"services.web: backend www has no slots; add a line " ..
      "`server-template s 1-16 slot.invalid:1 init-addr last,127.0.0.1 " ..
      "disabled`"},
      problems({slots = 0, sure = true}))
  end)

  it("whose slots would take traffic is named", function()
    assert.is_truthy(problems({slots = 1, sure = true, is_disabled = false})[1]
      :find("are not `disabled`", 1, true))
  end)

  local PREFER = {{label = "zone", value = "a", least = 1}}

  local function with_prefer(backend)
    return backends.problems({{name = "web", backend = "www",
      prefer = PREFER}}, function() return backend end)
  end

  it("is right for `prefer` with slots for backups that are all used",
    function()
      assert.are.same({}, with_prefer({slots = 2, backups = 1, sure = true,
        all_backups = true}))
      assert.are.same({}, with_prefer({slots = 2, backups = 1, sure = true}))
      assert.are.same({}, with_prefer({slots = 0, backups = 0, sure = false}))
    end)

  it("without slots for backups is named where there is `prefer`", function()
    assert.are.same({"services.web: backend www has no slots for backups, " ..
      "which `prefer` needs; add a line `server-template b 1-16 " ..
      "slot.invalid:1 init-addr last,127.0.0.1 backup disabled`"},
      with_prefer({slots = 1, backups = 0, sure = true}))
    assert.are.same({}, problems({slots = 1, backups = 0, sure = true,
      all_backups = false}))
  end)

  it("that uses one backup is named where there is `prefer`", function()
    assert.are.same({"services.web: backend www has no line `option " ..
      "allbackups`, which `prefer` needs: without it HAProxy sends " ..
      "everything to one backup"}, with_prefer({slots = 2, backups = 1,
        sure = true, all_backups = false}))
  end)
end)
