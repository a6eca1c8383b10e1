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
      "session     id   ensemble\n" ..
      "connected   0x1  zk:2181\n" ..
      "connecting  -    zü:2181\n\n" ..
      "state  service  ready  slots  why\n" ..
      "down   api      0/0    0/8    no instance; frozen by command\n" ..
      "whole  web      2/2    2/16   -\n", show.status(answer, {}))
    answer.troubles = {"all is lost"}
    local text = show.status(answer, {is_coloured = true})
    assert.are.equal(1, text:find(RED .. "all is lost" .. PLAIN .. "\n\n" ..
      "session     id   ensemble", 1, true))
    assert.is_truthy(text:find("\n" .. GREEN .. "connected" .. PLAIN ..
      "   0x1  zk:2181", 1, true))
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
      show.service(web, {}))
    web.paths = {}
    assert.is_truthy(show.service(web, {}):find("\npaths    -\n", 1, true))
  end)

  it("can be asked twice, with the same heading", function()
    assert.are.equal(show.service(web, {}), show.service(web, {}))
    assert.are.same({"state", "instance", "slot", "weight", "name", "why"},
      show.INSTANCE_HEAD)
  end)

  it("is an instance in each service that has it", function()
    assert.are.equal(
      "state   service  slot  weight  name  why\n" ..
      "failed  web      s1    5       one   refused\n" ..
      "ready   api      -     -       -     weight: x, dropped\n",
      show.instance({services = {{service = "web", at = web.instances[1]},
        {service = "api", at = web.instances[2]}}}, {}))
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

-- Tables needed 110 columns: in a terminal of 80 each line was broken where it
-- happened to end.
describe("a table in a terminal that is too narrow for it", function()
  local HEAD = {"state", "service", "slots", "why"}

  local function table_of(width, ...)
    local rows = {{table.unpack(HEAD)}, ...}
    local n = show.narrow(rows, 4, width, {"slots"})
    return show.lines(rows, n, width)
  end

  it("is whole where it fits, and where there is no terminal", function()
    local row = {"whole", "web", "2/16", "an instance has left"}
    local whole = {"state  service  slots  why",
      "whole  web      2/16   an instance has left"}
    assert.are.same(whole, table_of(nil, {table.unpack(row)}))
    assert.are.same(whole, table_of(43, {table.unpack(row)}))
  end)

  it("has its last column in several lines", function()
    assert.are.same({
      "state  service  slots  why",
      "whole  web      2/16   an instance has left, an\n" ..
      "                       operator said so, and\n" ..
      "                       10.0.0.1:8080,\n" ..
      "                       10.0.0.2:8080 are\n" ..
      "                       retained",
    }, table_of(47, {"whole", "web", "2/16", "an instance has left, an " ..
      "operator said so, and 10.0.0.1:8080,10.0.0.2:8080 are retained"}))
  end)

  it("lacks what it can spare, once there is no room beside it", function()
    local why = "an instance has left, and none came"
    assert.are.same({"state  service  why",
      "whole  web      an instance has left, and\n" ..
      "                none came"},
      table_of(41, {"whole", "web", "2/16", why}))
    assert.are.same({"state  service  slots  why",
      "whole  web      2/16   -"}, table_of(26, {"whole", "web", "2/16"}))
  end)

  it("has its last column below where nothing can be spared", function()
    assert.are.same({"state  service  why",
      "whole  web\n    an instance has left, and\n    none came",
      "whole  api      -"},
      table_of(32, {"whole", "web", "2/16",
        "an instance has left, and none came"}, {"whole", "api", "2/16"}))
  end)

  it("ends also where there is room for no letter", function()
    for width = 1, 5 do
      assert.are.same({"state  service\n    w\n    h\n    y",
        "whole  web\n    a\n    b\n    c", "whole  api\n    -"},
        table_of(width, {"whole", "web", "2/16", "abc"},
          {"whole", "api", "2/16"}))
    end
  end)

  it("breaks no letter in two", function()
    assert.are.same({"state  service  why",
      "whole  web\n    " .. ("ü"):rep(26) .. "\n    " .. ("ü"):rep(4),
    }, table_of(30, {"whole", "web", "2/16", ("ü"):rep(30)}))
  end)
end)

describe("what the agent answered, in 80 columns", function()
  local hosts = "zk1.example.com:2181,zk2.example.com:2181," ..
    "zk3.example.com:2181/smartstack"
  local service = {
    service = "your_http_service.production", backend = "b",
    state = "degraded", number = 12.0, counts = {ready = 10.0},
    slots = {used = 12.0, all = 32.0},
    reasons = {"2 instances have failed their checks",
      "the guard retains 1 instance"},
    paths = {{path = "/nerve/services/your_http_service/services",
      state = "read"}, {path = "/nerve/services/the_old_name/services",
      state = "missing"}},
    instances = {{state = "draining", instance = "10.123.145.167:12345",
      slot = "synapse_12", weight = 100.0,
      name = "ip-10-123-145-167.eu-central-1.compute.internal",
      why = "by an operator, for 2 h: a new disk, see ticket 4711"}},
  }

  local function assert_readable(text)
    for line in text:gmatch("[^\n]+") do
      assert.is_true(utf8.len(line) <= 80, line)
    end
    return text
  end

  it("names each session, and why a service is as it is", function()
    assert.are.equal(
      "session    id                  ensemble\n" ..
      "connected  0x1000abcd1234ef01  zk1.example.com:2181," ..
      "zk2.example.com:2181,\n" ..
      "                               zk3.example.com:2181/smartstack\n\n" ..
      "state     service                       ready  slots  why\n" ..
      "degraded  your_http_service.production  10/12  12/32  2 instances " ..
      "have failed\n" ..
      (" "):rep(54) .. "their checks; the guard\n" ..
      (" "):rep(54) .. "retains 1 instance\n",
      assert_readable(show.status({troubles = {}, services = {service},
        ensembles = {{state = "connected", hosts = hosts,
          session = "0x1000abcd1234ef01"}}}, {width = 80})))
  end)

  it("shows an instance without its name", function()
    local text = assert_readable(show.service(service, {width = 80}))
    assert.is_truthy(text:find(
      "state     instance              slot        weight  why\n" ..
      "draining  10.123.145.167:12345  synapse_12  100     " ..
      "by an operator, for 2 h: a\n", 1, true), text)
    assert.is_truthy(text:find(
      "\npaths    /nerve/services/your_http_service/services (read),\n" ..
      "         /nerve/services/the_old_name/services (missing)\n", 1, true),
      text)
    text = assert_readable(show.instance({services = {{
      service = service.service, at = service.instances[1]}}}, {width = 80}))
    assert.is_nil(text:find("internal", 1, true))
  end)

  it("tells what happened without where it came from", function()
    local event = {time = 1000.0, service = service.service,
      instance = "10.123.145.167:12345", from = "ready", to = "draining",
      why = "by an operator, for 2 h: a new disk, see ticket 4711"}
    assert.are.equal(
      "time            service                       instance" ..
      "              to\n    why\n" ..
      "01-01 00:16:40  your_http_service.production  10.123.145.167:12345" ..
      "  draining\n" ..
      "    by an operator, for 2 h: a new disk, see ticket 4711\n",
      assert_readable(show.events({event}, 80)))
    event.service, event.why = "web", nil
    assert.are.equal(
      "time                  service  instance              from   to" ..
      "        why\n" ..
      "1970-01-01T00:16:40Z  web      10.123.145.167:12345  ready  draining" ..
      "  -\n", assert_readable(show.events({event}, 80)))
  end)
end)
