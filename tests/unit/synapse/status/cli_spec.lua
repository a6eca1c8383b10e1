local cjson = require("cjson")
local cli = require("synapse.status.cli")
local new_agent = dofile("tests/fake/agent.lua")
local new_clock = dofile("tests/fake/clock.lua")
local new_visit = dofile("tests/fake/visit.lua")

it("a table is aligned, and moves no terminal's cursor", function()
  local turns = 0
  local made = cli.table({{"a", "b", "c"}, {"long", false, "x y"},
    {1, "\27", "z"}}, function() turns = turns + 1 end)
  assert.are.equal("a     b     c\n" .. "long  -     x y\n" ..
    "1     \\x1b  z\n", made)
  assert.are.equal(6, turns)
end)

describe("on the stats socket", function()
  local clock, agent, visit, fails

  before_each(function()
    clock = new_clock()
    agent = new_agent(clock)
    visit = new_visit({be_api = 1, be_web = 1})
    fails = false
  end)

  local function commands()
    local by_path = {}
    for _, command in ipairs(cli.commands({
      agent = function() return agent end,
      visit = function() return visit end, levels = {},
      guarded = function(_, step, ...)
        if fails then
          return false
        end
        return true, step(...)
      end,
    })) do
      by_path[table.concat(command.path, " ")] = command
    end
    return by_path
  end

  -- HAProxy calls a command with all of its words.
  local function say(path, ...)
    local words, said = {}, nil
    for word in path:gmatch("%S+") do
      words[#words + 1] = word
    end
    for _, word in ipairs({...}) do
      words[#words + 1] = word
    end
    commands()[path].run({
      f = {so_name = function() return nil end},
      send = function(_, text) said = text end,
    }, table.unpack(words))
    return said
  end

  local function show(...)
    return say("show synapse", ...)
  end

  it("everybody may read, and each command has its usage", function()
    for path, starts in pairs({
      ["show synapse"] = "show synapse [service NAME|events|",
      ["synapse resync"] = "synapse resync [NAME] : ",
      ["synapse freeze"] = "synapse freeze NAME : ",
      ["synapse thaw"] = "synapse thaw NAME : ",
      ["synapse maint"] = "synapse maint ADDRESS [for TIME] [reason TEXT] : ",
      ["synapse drain"] = "synapse drain ADDRESS [for TIME] [reason TEXT] : ",
      ["synapse ready"] = "synapse ready ADDRESS : ",
    }) do
      assert.are.equal(starts, commands()[path].usage:sub(1, #starts))
    end
    assert.are.equal(commands()["show synapse"].usage .. "\n", show("what"))
  end)

  it("a command changes nothing over a socket without a name", function()
    assert.is_truthy(say("synapse freeze", "web"):find(
      "the agent cannot tell the level of this stats socket", 1, true))
    assert.are.same({}, agent.orders)
  end)

  it("a fault of the agent is said", function()
    fails = true
    assert.are.equal("the agent failed, see its log\n", show())
  end)

  it("the overview has the sessions and each service", function()
    assert.are.equal(
      "session    ensemble  id\n" ..
      "connected  zk:2181   0x1\n\n" ..
      "state     service  ready  slots  why\n" ..
      "degraded  api      1/2    2/8    1 instance fails HAProxy's check; " ..
      "1 znode is refused\n" ..
      "whole     web      1/1    1/4    \n", show())
  end)

  it("the overview begins with what is wrong with the agent", function()
    agent.view.runtime_failing = true
    agent.view.sessions[1].session = nil
    assert.are.equal(1, show():find("HAProxy's runtime API does not " ..
      "answer: nothing changes\n\nsession    ensemble  id\n" ..
      "connected  zk:2181   -\n", 1, true))
  end)

  it("the overview in JSON is what /status.json says", function()
    local all = cjson.decode(show("json"))
    assert.are.equal("1f.4", all.cursor)
    assert.are.equal("0.1.0", all.agent.version)
    assert.are.equal("api", all.services[1].service)
    assert.are.equal("10.0.0.1:80", all.services[1].instances[1].instance)
    assert.are.equal("web", all.services[2].service)
    assert.are.equal("}\n", show("json"):sub(-2))
  end)

  it("a service is shown with all of its instances", function()
    assert.are.equal(
      "service  api\n" ..
      "state    degraded\n" ..
      "why      1 instance fails HAProxy's check; 1 znode is refused\n" ..
      "backend  be_api\n" ..
      "paths    /api (read), /old (missing: gone)\n" ..
      "slots    2 used of 8\n\n" ..
      "state    instance     slot  weight  name  why\n" ..
      "failed   10.0.0.1:80  s1    5       one   HAProxy's check fails: " ..
      "refused\n" ..
      "invalid  i_3          -     -       -     no port\n" ..
      "ready    10.0.0.2:80  s2    -       -     weight: x, dropped\n",
      show("service", "api"))
  end)

  it("a service in JSON has its counters and its data", function()
    local api = cjson.decode(show("service", "api", "json"))
    assert.are.same({service = "api"}, api.counters)
    assert.are.same({sessions = 7}, api.instances[1].counters)
    assert.are.equal('{"port":80}', api.instances[1].data)
  end)

  it("a service is looked at anew", function()
    show("service", "api")
    assert.are.equal(1, agent.asked)
  end)

  it("a service that there is not is named", function()
    assert.are.equal("nobody: no such service\n", show("service", "nobody"))
    assert.are.equal("service NAME: no such service\n", show("service"))
  end)

  describe("events", function()
    before_each(function()
      agent.journal.events:add({service = "api", instance = "10.0.0.1:80",
        from = "ready", to = "failed", ms = 1.25, why = "refused"})
      agent.journal.events:add({service = "api", count = 30, from = "absent",
        to = "ready"})
      -- A service that was frozen has no instance to name, and it ended the
      -- whole answer.
      agent.journal.events:add({service = "web", from = "thawed",
        to = "frozen", why = "by command"})
      agent.journal.events:add({instance = "zk:2181", from = "connecting",
        to = "connected"})
    end)

    it("are about one instance, many, a service or a session", function()
      assert.are.equal(
        "time                  service  instance      from        to" ..
        "         ms   why\n" ..
        "1970-01-01T00:16:40Z  api      10.0.0.1:80   ready       failed" ..
        "     1.2  refused\n" ..
        "1970-01-01T00:16:40Z  api      30 instances  absent      ready" ..
        "      -    -\n" ..
        "1970-01-01T00:16:40Z  web      -             thawed      frozen" ..
        "     -    by command\n" ..
        "1970-01-01T00:16:40Z  -        zk:2181       connecting  connected" ..
        "  -    -\n", show("events"))
      assert.are.equal(1, agent.asked)
    end)

    it("in JSON tell the number of the last", function()
      local all = cjson.decode(show("events", "json"))
      assert.are.same({1, 4, 4, "frozen"},
        {all.schema, all.last, #all.events, all.events[3].to})
    end)
  end)

  local HEADING = "state   instance     slot  weight  name  why\n"

  it("an instance is found by its slot", function()
    assert.are.equal(HEADING ..
      "failed  10.0.0.1:80  s1    5       one   HAProxy's check fails: " ..
      "refused\n", show("instance", "be_api/s1"))
    assert.are.equal("failed",
      cjson.decode(show("instance", "be_api/s1", "json")).state)
    assert.are.equal(2, agent.asked)
  end)

  it("a slot without an instance is told from what is no slot", function()
    for place, said in pairs({
      ["be_api/s3"] = "is empty", ["be_api/s9"] = "is no slot",
      ["be_no/s1"] = "is not BACKEND/SLOT of a service",
      ["be_api"] = "is not BACKEND/SLOT of a service",
      ["be_api/s1/x"] = "is not BACKEND/SLOT of a service",
      ["be_api/a:1"] = "is no slot",
    }) do
      assert.are.equal(place .. " " .. said .. "\n", show("instance", place))
    end
    assert.are.equal("instance is not BACKEND/SLOT of a service\n",
      show("instance"))
  end)

  it("an instance is found by its address in every service", function()
    assert.are.equal(
      "service  state  instance     slot  weight  name  why\n" ..
      "api      ready  10.0.0.2:80  s2    -       -     weight: x, dropped\n" ..
      "web      ready  10.0.0.2:80  s1    -       -     -\n",
      show("instance", "10.0.0.2:80"))
  end)

  it("an instance in JSON has the order of an operator", function()
    assert.are.same({instance = "10.0.0.2:80", services = {
      {service = "api", backend = "be_api", at = {instance = "10.0.0.2:80",
        state = "ready", slot = "s2", problem = "weight: x, dropped",
        operator = {state = "drain", reason = "disk", since = 900}}},
      {service = "web", backend = "be_web", at = {instance = "10.0.0.2:80",
        state = "ready", slot = "s1"}},
    }}, cjson.decode(show("instance", "10.0.0.2:80", "json")))
  end)

  it("an address that no service has is named", function()
    assert.are.equal("10.0.0.9:80: no service has such an instance\n",
      show("instance", "10.0.0.9:80"))
  end)

  it("a refused znode is no instance, whatever its name is", function()
    agent.journal.views.api.instances[2].key = "10.0.0.9:80"
    assert.are.equal("10.0.0.9:80: no service has such an instance\n",
      show("instance", "10.0.0.9:80"))
  end)

  it("a dump is one line of JSON", function()
    local text = show("dump")
    assert.are.equal(1, cjson.decode(text).schema)
    assert.are.equal("}\n", text:sub(-2))
  end)
end)
