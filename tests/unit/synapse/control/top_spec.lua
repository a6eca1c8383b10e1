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

  it("has services above, what happened below, and fills the screen",
    function()
      status.troubles = {"no connection"}
      local lines = screen(18, 70)
      local first, last = 1, #lines
      while lines[first + 1] ~= "" do
        first = first + 1
      end
      assert.are.equal(18, #lines)
      assert.are.equal("no connection", lines[2])
      assert.are.equal(2, first)
      assert.are.same({"", "  state     service  ready  slots  why",
        "> whole     api      3/3    3/16   -",
        "  degraded  web      2/3    3/16   -", ""},
        table.move(lines, 3, 7, 1, {}))
      assert.are.same({"", "00:00:03  web  10.0.0.1:80  ready  failed  " ..
        "refused"}, table.move(lines, last - 2, last - 1, 1, {}))
      -- A low terminal has no room for events.
      assert.is_nil(table.concat(screen(16, 70)):find("00:00:03", 1, true))
    end)

  it("shows the events of the opened service, the newest first", function()
    view:take(status, {
      {time = 3.0, service = "web", from = "a", to = "b"},
      {time = 4.0, service = "api", from = "a", to = "b"},
      {time = 5.0, service = "web", from = "a", to = "b"},
    })
    local function times()
      local list = {}
      for _, line in ipairs(screen()) do
        list[#list + 1] = line:match("^00:00:0(%d)")
      end
      return table.concat(list)
    end
    assert.are.equal("543", times())
    press("j", "enter")
    assert.are.equal("53", times())
    press("escape")
    assert.are.equal("543", times())
  end)

  it("shows what was typed, and what narrows the list", function()
    press("/", "A")
    assert.is_true(has("^filter: A_$"))
    press("enter")
    assert.is_true(has("^filter: A$"))
    press("p")
    assert.is_true(has("^filter: A, only problems$"))
    press("escape")
    assert.is_false(has("^filter"))
    assert.is_false(has("^only problems"))
    press("enter")
    assert.is_true(has("^service api$"))
    press("j", "enter")
    assert.is_true(has("^service api$"))
  end)

  it("cuts what is too wide", function()
    status.services[2].reasons = {("x"):rep(100)}
    view:take(status, {{time = 3.0, service = ("y"):rep(100), from = "a",
      to = "b"}})
    local widest = 0
    for _, line in ipairs(screen(24, 60)) do
      widest = math.max(widest, #line)
    end
    assert.are.equal(60, widest)
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

  it("leaves out columns that a narrow terminal has no room for", function()
    status.services[2].instances[1].name =
      "ip-10-123-145-167.eu-central-1.compute.internal"
    press("j", "enter")
    assert.is_true(has("^  state   instance     slot  weight  why"))
    assert.is_true(has("^> failed  10.0.0.1:80  %-     %-       refused$"))
    local lines = table.concat(screen(24, 120), "\n")
    assert.is_truthy(lines:find("compute.internal  refused", 1, true))
  end)

  it("tells events without where they came from, if that is too wide",
    function()
      status.services[2].service = "your_http_service"
      view:take(status, {{time = 3.0, service = "your_http_service",
        instance = "10.123.145.167:80", from = "ready", to = "failed",
        why = ("x"):rep(60)}})
      assert.is_true(has("^00:00:03  your_http_service  10.123.145.167:80  " ..
        "failed  x+$"))
      press("j", "enter")
      assert.is_true(has("^00:00:03  10.123.145.167:80  ready  failed  x+$"))
    end)
end)
