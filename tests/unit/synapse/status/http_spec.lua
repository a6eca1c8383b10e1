local cjson = require("cjson")
local http = require("synapse.status.http")
local new_agent = dofile("tests/fake/agent.lua")
local new_clock = dofile("tests/fake/clock.lua")
local new_visit = dofile("tests/fake/visit.lua")

it("the page may run its own style and script, and nothing else", function()
  local asked = 0
  local get = http.page("<style>S</style><script>X</script>")
  local function hash(text)
    asked = asked + 1
    return "#" .. text
  end
  local made = get(hash)
  assert.are.equal('"#<style>S</style><script>X</script>"', made.tag)
  assert.is_truthy(made.policy:find("style-src 'sha256-#S'; script-src " ..
    "'sha256-#X';", 1, true))
  assert.is_nil(made.policy:find("unsafe"))
  assert.are.equal(made, get(hash))
  assert.are.equal(3, asked)
end)

describe("over HTTP", function()
  local clock, agent, visit

  before_each(function()
    clock = new_clock()
    agent = new_agent(clock)
    visit = new_visit({be_api = 1, be_web = 1})
  end)

  -- Asks for a path; `more`: method, headers of the request. Returns what was
  -- answered.
  local function get(path, more)
    more = more or {}
    local got = {headers = {}, body = "", parts = 0}
    local asked = {}
    for name, value in pairs(more.headers or {}) do
      asked[name] = {[0] = value}
    end
    local applet = {
      method = more.method or "GET", path = path:match("^[^?]*"),
      qs = path:match("%?(.*)$") or "", headers = asked,
      c = {sha2 = function(_, text, bits) return text .. bits end,
        base64 = function(_, text) return "#" .. text end},
      set_status = function(_, code) got.status = code end,
      add_header = function(_, name, value)
        assert.is_nil(got.headers[name])
        assert.are.equal("string", type(value))
        got.headers[name] = value
      end,
      start_response = function() got.started = true end,
      send = function(_, text)
        assert.is_true(got.started)
        got.body, got.parts = got.body .. text, got.parts + 1
        got.longest = math.max(got.longest or 0, #text)
      end,
    }
    http.service({
      agent = function() return agent end,
      visit = function(asking)
        assert.are.equal(applet, asking)
        return visit
      end,
      wall = function() return 1234.5678 end,
      checksum = function(text) return "sum" .. #text end,
      page = http.page("<style>S</style><script>X</script>"),
      documents = {["/doc/lua/README.md"] = "# The guard\n"},
      guarded = function(_, step, ...) step(...) end,
    })(applet)
    return got
  end

  local SAFE = {["cache-control"] = "no-cache",
    ["x-content-type-options"] = "nosniff",
    ["referrer-policy"] = "no-referrer",
    ["content-security-policy"] =
      "default-src 'none'; frame-ancestors 'none'"}

  local function safe(headers)
    local all = {}
    for name, value in pairs(SAFE) do
      all[name] = value
    end
    for name, value in pairs(headers) do
      all[name] = value
    end
    return all
  end

  it("the page comes with its own policy, and once", function()
    local page = get("/")
    assert.are.equal(200, page.status)
    assert.are.equal("<style>S</style><script>X</script>", page.body)
    assert.are.equal("34", page.headers["content-length"])
    assert.are.equal("text/html; charset=utf-8", page.headers["content-type"])
    local policy = page.headers["content-security-policy"]
    assert.is_truthy(policy:find("script-src 'sha256-#X256'", 1, true))
    local tag = page.headers.etag
    assert.are.equal('"#<style>S</style><script>X</script>256"', tag)
    local again = get("/", {headers = {["if-none-match"] = tag}})
    assert.are.same({304, ""}, {again.status, again.body})
    assert.are.same(safe({etag = tag, ["content-security-policy"] = policy}),
      again.headers)
    assert.are.equal(200,
      get("/", {headers = {["if-none-match"] = '"x"'}}).status)
  end)

  it("a document is plain text", function()
    local got = get("/doc/lua/README.md")
    assert.are.same({200, "# The guard\n"}, {got.status, got.body})
    assert.are.same(safe({["content-type"] = "text/plain; charset=utf-8",
      ["content-length"] = "12"}), got.headers)
    for _, path in ipairs({"/doc/", "/doc/haproxy/README.md",
      "/doc/lua/../lua/README.md"}) do
      assert.are.equal(404, get(path).status)
    end
  end)

  it("HEAD has the headers of GET, and no body", function()
    for _, path in ipairs({"/", "/status.json", "/events.json", "/metrics",
      "/ready", "/healthz", "/doc/lua/README.md"}) do
      local whole, head = get(path), get(path, {method = "HEAD"})
      assert.are.same({200, ""}, {head.status, head.body})
      assert.are.same(whole.headers, head.headers)
      assert.is_true(#whole.body > 0)
    end
  end)

  it("nothing is changed, and nothing else is there", function()
    local post = get("/status.json", {method = "POST"})
    assert.are.same({405, "only GET and HEAD\n"}, {post.status, post.body})
    assert.are.same(safe({allow = "GET, HEAD", ["content-length"] = "18",
      ["content-type"] = "text/plain; charset=utf-8"}), post.headers)
    local other = get("/other")
    assert.are.same({404, "not here: / /status.json /events.json /metrics " ..
      "/ready /healthz\n"}, {other.status, other.body})
    for _, path in ipairs({"/?x=1", "/metrics?x=1", "/status.json?x=1",
      "/events.json?since=x"}) do
      assert.are.equal(400, get(path).status)
    end
    assert.are.equal("x: no such parameter (none is known here)\n",
      get("/ready?x=1").body)
    assert.are.equal(0, agent.asked)
  end)

  it("/status.json has the services, a line each, and the time", function()
    local got = get("/status.json")
    assert.are.equal(200, got.status)
    assert.are.same(safe({["content-type"] = "application/json",
      etag = got.headers.etag}), got.headers)
    local all = cjson.decode(got.body)
    assert.are.equal(1234.568, all.time)
    assert.are.same({"api", "web"},
      {all.services[1].service, all.services[2].service})
    assert.are.equal("10.0.0.1:80", all.services[1].instances[1].instance)
    assert.is_nil(all.services[1].instances[1].data)
    assert.is_nil(all.services[1].counters)
    assert.are.equal(3, select(2, got.body:gsub("\n", "")))
    assert.are.equal("]}\n", got.body:sub(-3))
  end)

  it("/status.json without instances is shorter", function()
    local all = cjson.decode(get("/status.json?instances=0").body)
    assert.are.same({number = 2, counts = {failed = 1, ready = 1,
      invalid = 1}}, {number = all.services[1].number,
      counts = all.services[1].counts})
    assert.is_nil(all.services[1].instances)
    assert.is_not_nil(
      cjson.decode(get("/status.json?instances=1").body).services[1].instances)
  end)

  it("/status.json is not sent again where nothing has changed", function()
    local tag = get("/status.json").headers.etag
    assert.are.equal('W/"sum', tag:sub(1, 6))
    local asked = {headers = {["if-none-match"] = tag}}
    local again = get("/status.json", asked)
    assert.are.same({304, ""}, {again.status, again.body})
    assert.are.same(safe({etag = tag}), again.headers)
    -- Of another question it says nothing,
    assert.are.equal(200, get("/status.json?problems=0", asked).status)
    -- and counters grow without a change of state.
    local counted = get("/status.json?counters=1&service=api", asked)
    assert.are.equal(200, counted.status)
    assert.is_nil(counted.headers.etag)
  end)

  it("counters are asked of HAProxy first, for these services", function()
    local got = get("/status.json?counters=1&service=web&service=api")
    assert.are.same({what = "count_sessions", argument = {"api", "web"}},
      agent.orders[#agent.orders])
    assert.are.same({}, visit.waited)
    local api = cjson.decode(got.body).services[1]
    assert.are.same({service = "api"}, api.counters)
    assert.are.same({sessions = 7}, api.instances[1].counters)
    assert.are.equal('{"port":80}', api.instances[1].data)
    assert.are.same({zone = "a"}, api.instances[1].labels)
    function agent.is_counted() return false end
    assert.are.equal(200, get("/status.json?counters=1&limit=50").status)
    assert.are.same({0.5}, visit.waited)
  end)

  it("the counters of services alone are not waited for", function()
    local api = cjson.decode(
      get("/status.json?counters=1&instances=0&limit=1").body).services[1]
    assert.are.same({name = "be_api"}, api.counters)
    assert.is_nil(api.instances)
    for _, order in ipairs(agent.orders) do
      assert.are_not.equal("count_sessions", order.what)
    end
  end)

  it("the last hour is told with the counters alone", function()
    local question = "/status.json?counters=1&instances=0&service=api"
    assert.is_nil(cjson.decode(get(question).body).services[1].history)
    local api = cjson.decode(get(question .. "&history=1").body).services[1]
    assert.are.same({{time = 960, ready = 1, least = 1, changes = 2,
      errors = 3}}, api.history)
    assert.is_nil(api.instances)
    local got = get("/status.json?history=1&service=api")
    assert.are.same({400, "history: only with counters=1\n"},
      {got.status, got.body})
  end)

  it("counters of everything are refused", function()
    for _, question in ipairs({"counters=1", "counters=1&limit=51"}) do
      local got = get("/status.json?" .. question)
      assert.are.same({400, "counters: only with service, or with limit up " ..
        "to 50\n"}, {got.status, got.body})
    end
    assert.are.equal(200, get("/status.json?counters=0").status)
  end)

  it("/events.json has the events", function()
    agent.journal.events:add({service = "api", from = "a", to = "b"})
    agent.journal.events:add({service = "web", from = "b", to = "c"})
    local got = get("/events.json?since=1")
    assert.are.equal("application/json", got.headers["content-type"])
    assert.are.same({schema = 1, last = 2, events = {{number = 2,
      time = 1000, service = "web", from = "b", to = "c"}}},
      cjson.decode(got.body))
    assert.are.equal("\n", got.body:sub(-1))
  end)

  it("/metrics are sent as Prometheus reads them", function()
    local got = get("/metrics")
    assert.are.equal("text/plain; version=0.0.4", got.headers["content-type"])
    assert.is_truthy(got.body:find('synapse_service_state{service="api",' ..
      'state="degraded"} 1\n', 1, true))
    assert.is_true(visit.turns > 10)
  end)

  it("a long answer is sent in parts, all of it, in order", function()
    local names = {}
    for i = 1, 200 do
      local name = string.format("service_%03d", i)
      names[i] = name
      agent.journal.views[name] = {name = name, state = "whole", slots = 1,
        used = 1, counts = {}, backend = name, cursor = 1, reasons = {},
        paths = {}, number = 0, instances = {}, source = "zookeeper"}
    end
    agent.journal.names = names
    local got = get("/status.json")
    assert.are.equal(math.ceil(#got.body / 8192), got.parts)
    assert.is_true(got.longest < 9000)
    assert.is_true(visit.turns >= 600)
    local all = cjson.decode(got.body)
    assert.are.same({200, "service_200"},
      {#all.services, all.services[200].service})
  end)

  it("/ready names the services that were never read", function()
    assert.are.same({200, "ready\n"}, {get("/ready").status,
      get("/ready").body})
    agent.is_ready, agent.view.unread = false, {"api", "web"}
    local got = get("/ready")
    assert.are.same({503, "not read yet, neither from ZooKeeper nor from a " ..
      "snapshot:\napi\nweb\n"}, {got.status, got.body})
    assert.are.equal(tostring(#got.body), got.headers["content-length"])
  end)

  it("/healthz says that the agent is dead", function()
    assert.are.same({200, "ok\n"}, {get("/healthz").status,
      get("/healthz").body})
    clock.pass(20)
    local got = get("/healthz")
    assert.are.equal(503, got.status)
    assert.is_truthy(got.body:find("^the agent has not turned for 15 s"))
  end)
end)
