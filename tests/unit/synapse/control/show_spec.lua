local show = require("synapse.control.show")

local RED, GREEN, PLAIN = "\27[31m", "\27[32m", "\27[0m"

describe("a text for people", function()
  it("moves no terminal's cursor, and keeps its letters", function()
    assert.are.equal("-", show.clean(nil))
    assert.are.equal("false", show.clean(false))
    assert.are.equal("\\x1b[2J\\x0a", show.clean("\27[2J\n"))
    assert.are.equal("zürich", show.clean("zürich"))
    assert.are.equal("\\xff\\xc3", show.clean("\xff\xc3"))
  end)

  it("is cut by characters", function()
    assert.are.equal("abc", show.cut("abc", 3))
    assert.are.equal("ab", show.cut("abc", 2))
    assert.are.equal("zü", show.cut("zürich", 2))
    assert.are.equal("\xff\xff", show.cut("\xff\xff\xff", 2))
  end)

  it("has the colour of its state where there are colours", function()
    assert.are.equal(RED .. "x" .. PLAIN, show.colour("x", "failed", true))
    assert.are.equal("x", show.colour("x", "failed", false))
    assert.are.equal("x", show.colour("x", "unused", true))
    assert.are.equal("x", show.colour("x", nil, true))
  end)
end)

describe("what the agent answered", function()
  local web, api

  before_each(function()
    web = {
      service = "web", backend = "www", state = "whole", reasons = {},
      number = 2.0, counts = {ready = 2.0}, slots = {used = 2.0, all = 16.0},
      paths = {{path = "/web", state = "read"},
        {path = "/old", state = "missing"}},
      instances = {
        {state = "failed", instance = "10.0.0.1:80", slot = "s1",
          weight = 5.0, name = "one", why = "refused"},
        {state = "ready", instance = "10.0.0.2:80",
          problem = "weight: x, dropped"},
      },
    }
    api = {service = "api", state = "down", counts = {}, number = 0.0,
      reasons = {"no instance", "frozen by command"},
      slots = {used = 0.0, all = 8.0}}
  end)

  it("is a table of sessions, and one of services", function()
    local answer = {troubles = {}, services = {api, web}, ensembles = {
      {state = "connected", hosts = "zk:2181", session = "0x1"},
      {state = "connecting", hosts = "zü:2181"}}}
    assert.are.equal(
      "session     ensemble  id\n" ..
      "connected   zk:2181   0x1\n" ..
      "connecting  zü:2181   -\n\n" ..
      "state  service  ready  slots  why\n" ..
      "down   api      0/0    0/8    no instance; frozen by command\n" ..
      "whole  web      2/2    2/16   -\n", show.status(answer, false))
    answer.troubles = {"all is lost"}
    local text = show.status(answer, true)
    assert.are.equal(1, text:find(RED .. "all is lost" .. PLAIN .. "\n\n" ..
      "session     ensemble", 1, true))
    assert.is_truthy(text:find("\n" .. GREEN .. "connected" .. PLAIN ..
      "   zk:2181", 1, true))
    assert.is_truthy(text:find("\n" .. GREEN .. "whole" .. PLAIN ..
      "  web ", 1, true))
  end)

  it("is a service with its paths and instances", function()
    assert.are.equal(
      "service  web\n" ..
      "state    whole\n" ..
      "why      -\n" ..
      "backend  www\n" ..
      "paths    /web (read), /old (missing)\n" ..
      "slots    2/16\n\n" ..
      "state   instance     slot  weight  name  why\n" ..
      "failed  10.0.0.1:80  s1    5       one   refused\n" ..
      "ready   10.0.0.2:80  -     -       -     weight: x, dropped\n",
      show.service(web, false))
    web.paths = {}
    assert.is_truthy(show.service(web, false):find("\npaths    -\n", 1, true))
  end)

  it("can be asked twice, with the same heading", function()
    assert.are.equal(show.service(web, false), show.service(web, false))
    assert.are.same({"state", "instance", "slot", "weight", "name", "why"},
      show.INSTANCE_HEAD)
  end)

  it("is an instance in each service that has it", function()
    assert.are.equal(
      "state   service  slot  weight  name  why\n" ..
      "failed  web      s1    5       one   refused\n" ..
      "ready   api      -     -       -     weight: x, dropped\n",
      show.instance({services = {{service = "web", at = web.instances[1]},
        {service = "api", at = web.instances[2]}}}, false))
  end)

  it("is a list of events", function()
    assert.are.equal(
      "time                  service  instance      from    to      why\n" ..
      "1970-01-01T00:16:40Z  web      10.0.0.1:80   ready   failed  " ..
      "refused\n" ..
      "1970-01-01T00:16:41Z  web      30 instances  absent  ready   -\n" ..
      "1970-01-01T00:16:42Z  web      1 instance    absent  ready   -\n" ..
      "1970-01-01T00:16:43Z  web      -             thawed  frozen  -\n",
      show.events({
        {time = 1000.7, service = "web", instance = "10.0.0.1:80",
          from = "ready", to = "failed", why = "refused"},
        {time = 1001.0, service = "web", count = 30.0, from = "absent",
          to = "ready"},
        {time = 1002.0, service = "web", count = 1.0, from = "absent",
          to = "ready"},
        {time = 1003.0, service = "web", from = "thawed", to = "frozen"},
      }))
  end)
end)
