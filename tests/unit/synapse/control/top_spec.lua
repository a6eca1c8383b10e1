local top = require("synapse.control.top")

local function service(name, state, ready, instances)
  return {service = name, state = state, reasons = {}, number = 3.0,
    counts = {ready = ready}, slots = {used = 3.0, all = 16.0},
    instances = instances or {}}
end

describe("the live view", function()
  local view, status

  local function screen(height, width)
    return view:screen(height or 24, width or 80, false)
  end

  local function has(pattern)
    for _, line in ipairs(screen()) do
      if line:find(pattern) then
        return true
      end
    end
    return false
  end

  local function press(...)
    for _, key in ipairs({...}) do
      view:press(key)
    end
  end

  before_each(function()
    view = top.new()
    status = {
      agent = {version = "1", node = "n"}, troubles = {},
      totals = {services = 2.0, whole = 1.0, degraded = 1.0, down = 0.0},
      services = {service("api", "whole", 3), service("web", "degraded", 2, {
        {instance = "10.0.0.1:80", state = "failed", why = "refused"},
        {instance = "10.0.0.2:80", state = "ready", slot = "s2"},
      })},
    }
    view:take(status, {{time = 3.0, service = "web", instance = "10.0.0.1:80",
      from = "ready", to = "failed", why = "refused"}})
  end)

  it("moves, and stays within the list", function()
    assert.is_true(has("^> whole"))
    press("down")
    assert.is_true(has("^> degraded"))
    press("j", "pagedown", "G")
    assert.is_true(has("^> degraded"))
    press("k", "g", "pageup")
    assert.is_true(has("^> whole"))
  end)

  it("filters by a part of the name, and ends that", function()
    press("/", "W", "e")
    assert.is_true(has("^> degraded  web"))
    assert.is_false(has("api"))
    press("backspace", "backspace", "enter")
    assert.is_true(has("api"))
    press("/", "x", "escape")
    assert.is_true(has("api"))
    press("/", "q", "enter")
    assert.is_false(view.is_over)
    press("escape", "q")
    assert.is_true(view.is_over)
  end)

  it("opens a service, and comes back to where it was", function()
    press("j", "enter")
    assert.is_true(has("^> failed  10.0.0.1:80"))
    press("j", "escape")
    assert.is_true(has("^> degraded  web"))
  end)

  it("says that an opened service is gone", function()
    press("enter")
    status.services = {status.services[2]}
    assert.is_true(has("service api is gone"))
  end)

  it("shows only problems", function()
    press("p")
    assert.is_false(has("api"))
    assert.is_true(has("only problems"))
  end)

  it("keeps what it knew, and says why there is no news", function()
    view:take(nil, "no answer")
    assert.is_true(has("^no answer"))
    assert.is_true(has("api"))
  end)

  it("fits into any terminal", function()
    for i = 1, 100 do
      table.insert(status.services, service("service-" .. i, "down", 0))
      status.services[i + 2].reasons = {("ä"):rep(200)}
    end
    status.troubles = {("x"):rep(300)}
    for _, size in ipairs({{24, 80}, {10, 40}, {6, 20}, {60, 200}, {2, 9}}) do
      for _ = 1, 30 do
        press("j")
        local lines = screen(table.unpack(size))
        assert.is_true(#lines <= size[1], #lines .. " of " .. size[1])
        for _, line in ipairs(lines) do
          assert.is_true(utf8.len(line) <= size[2], line)
        end
      end
      if size[1] >= 10 then
        local found = false
        for _, line in ipairs(screen(table.unpack(size))) do
          found = found or line:find("^> ") ~= nil
        end
        assert.is_true(found)
      end
    end
  end)

  it("lets no znode move the cursor", function()
    status.services[2].instances[1].why = "\27[2Jx"
    press("j", "enter")
    for _, line in ipairs(screen()) do
      assert.is_nil(line:find("\27"))
    end
  end)
end)
