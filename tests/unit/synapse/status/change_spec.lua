local cjson = require("cjson.safe")
local change = require("synapse.status.change")

local KEY = "10.0.0.1:80"

describe("a changing command", function()
  local ordered, services, socket, levels, may_all_change
  local waits, has_waited, await, is_saved, answers, live

  local function service(name, is_done, frozen_at)
    return {name = name, frozen_at = frozen_at,
      is_operated = function() return is_done end}
  end

  local function run(what, ...)
    local agent = {by_name = {web = service("web", true)}, live = live,
      is_saved = function() return is_saved end}
    function agent.order(_, name, argument)
      ordered = {what = name, argument = argument}
      ordered.said = answers and
        (name == "operate" and services or name .. " done") or nil
      return ordered
    end
    return change.run({
      agent = function() return agent end,
      visit = function()
        return {await = function(condition, seconds)
          assert.are.equal(what == "reload" and 20 or 5, seconds)
          waits, has_waited = waits + 1, not condition()
          while not condition() and await do
            await()
          end
        end}
      end,
      levels = levels, may_all_change = may_all_change,
    }, what, {...}, {f = {so_name = function() return socket end}})
  end

  before_each(function()
    ordered, services = nil, {service("web", true), service("api", true)}
    waits, await, is_saved, answers = 0, nil, true, true
    socket, levels, may_all_change = "s", {s = "operator"}, false
  end)

  it("is an order for every service that has the instance", function()
    assert.are.equal(KEY .. " is maint in web, api\n",
      run("maint", KEY, "for", "2h", "reason", "disk errors"))
    assert.are.same({"operate", {state = "maint", key = KEY, seconds = 7200,
      reason = "disk errors"}}, {ordered.what, ordered.argument})
  end)

  it("answers in JSON for programs", function()
    assert.are.same({result = "done", message = "freeze done"},
      cjson.decode(run("freeze", "web", "json")))
    assert.are.equal("web", ordered.argument)
  end)

  it("has the configuration read again", function()
    local said = {result = "pending", message = "a\nb"}
    live = {answered = 0, said = said, ask = function() return 0 end}
    assert.are.equal("a\nb\n", run("reload"))
    assert.are.same(said, cjson.decode(run("reload", "json")))
    live.ask = function() return 1 end
    assert.is_truthy(run("reload"):find("has not done it yet"))
    assert.is_truthy(run("reload", "now"):find("^synapse reload : "))
  end)

  it("says what waits for HAProxy", function()
    services = {service("web", true), service("api", false)}
    assert.are.same({result = "pending", message = KEY .. " is drain in web," ..
      " api as soon as HAProxy has acknowledged it, see `show synapse " ..
      "instance " .. KEY .. "`"}, cjson.decode(run("drain", KEY, "json")))
    assert.is_true(has_waited)
  end)

  it("waits for the agent, for HAProxy and for the snapshot", function()
    answers, is_saved, services = false, false, {service("web", false)}
    local steps = {
      function() ordered.said = services end,
      function() services[1] = service("web", true) end,
      function() is_saved = true end,
    }
    function await() table.remove(steps, 1)() end
    assert.are.equal(KEY .. " is maint in web\n", run("maint", KEY))
    assert.are.same({0, 2}, {#steps, waits})
  end)

  it("waits for the agent to change a service", function()
    answers = false
    function await() ordered.said = "frozen" end
    assert.are.equal("frozen\n", run("freeze", "web"))
  end)

  it("says that the agent has not done it", function()
    answers = false
    for _, words in ipairs({{"maint", KEY}, {"freeze", "web"}, {"resync"}}) do
      local last = {table.unpack(words)}
      last[#last + 1] = "json"
      assert.are.same({result = "failed",
        message = "the agent has not done it yet, see its log"},
        cjson.decode(run(table.unpack(last))))
    end
  end)

  it("reads everything again, where it names no service", function()
    assert.are.equal("resync done\n", run("resync"))
    assert.is_nil(ordered.argument)
  end)

  -- It waited for HAProxy for 5 s, in vain.
  it("says at once what waits for a thaw", function()
    services = {service("web", false, 7), service("api", true)}
    assert.are.equal("pending", cjson.decode(run("maint", KEY, "json")).result)
    assert.is_truthy(run("maint", KEY):find("frozen (web) is thawed", 1, true))
    assert.is_false(has_waited)
    services[2] = service("api", false)
    run("maint", KEY)
    assert.is_true(has_waited)
  end)

  it("fails for an instance that nobody has", function()
    services = {}
    assert.are.equal(KEY .. ": no service has such an instance; `show " ..
      "synapse service NAME` lists them\n", run("ready", KEY))
  end)

  it("with words that it does not know is not done", function()
    for said, words in pairs({
      ['for: "2w" is not a time such as 20s, 30m, 2h or 7d (at most 366d)'] =
        {"maint", KEY, "for", "2w"},
      ["for needs a value"] = {"maint", KEY, "for"},
      ["reason: the text is empty"] = {"maint", KEY, "reason", ""},
      ['"errors" is not an option'] =
        {"maint", KEY, "reason", "disk", "errors"},
      ['"reason" is not an option'] = {"ready", KEY, "reason", "x"},
      ["synapse drain ADDRESS"] = {"drain"},
      ["synapse freeze NAME"] = {"freeze"},
      ["nobody: no such service"] = {"thaw", "nobody"},
      ["synapse resync [NAME]"] = {"resync", "web", "api"},
    }) do
      local answer = run(table.unpack(words))
      assert.are.equal(said, answer:sub(1, #said))
      assert.is_nil(ordered)
    end
  end)

  it("is not done over a socket of a low level", function()
    levels = {s = "user"}
    assert.are.equal("the stats socket s has level user; this needs level " ..
      "operator or admin\n", run("maint", KEY))
    assert.is_nil(ordered)
  end)

  it("is not done over a socket whose level nobody can tell", function()
    socket = nil
    local said = "the agent cannot tell the level of this stats socket"
    assert.are.equal(said, run("freeze", "web"):sub(1, #said))
    socket = "another"
    assert.are.equal(said, run("freeze", "web"):sub(1, #said))
    assert.is_nil(ordered)
    may_all_change = true
    assert.are.equal("freeze done\n", run("freeze", "web"))
  end)
end)
