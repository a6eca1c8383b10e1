local cjson = require("cjson")
local report = require("synapse.status.report")
local new_agent = dofile("tests/fake/agent.lua")
local new_clock = dofile("tests/fake/clock.lua")
local new_visit = dofile("tests/fake/visit.lua")

describe("a request", function()
  local clock, agent, visit

  before_each(function()
    clock = new_clock()
    agent = new_agent(clock)
    visit = new_visit({be_api = 1, be_web = 1})
    agent.journal.views.api.counts = {ready = 2}
  end)

  local function orders()
    report.refresh(agent, visit)
    return agent.orders
  end

  it("has the agent publish what it knows, and waits for it", function()
    assert.are.same({}, orders())
    assert.are.equal(1, agent.asked)
    assert.are.same({}, visit.waited)
    assert.are.equal(2, visit.turns)
  end)

  it("waits for two seconds at most", function()
    function agent.ask() return 7 end
    agent.journal.published = 6
    orders()
    assert.are.same({2}, visit.waited)
  end)

  it("tells the agent of servers that HAProxy would use, or not", function()
    visit = new_visit({be_api = 1, be_web = 0})
    assert.are.same({{what = "see",
      argument = {{name = "web", usable = 0, idle = 0}}}}, orders())
    assert.are.same({}, visit.waited)
  end)

  it("tells the agent of services whose servers HAProxy does not use",
    function()
      for _, case in ipairs({{failed = 1}, {maint = 1}, {draining = 1}}) do
        agent.journal.views.api.counts, agent.orders = case, {}
        assert.are.same({{name = "api", usable = 1, idle = 1}},
          orders()[1].argument)
      end
    end)

  it("waits for the agent to look at them, but not long", function()
    visit = new_visit({be_api = 0, be_web = 1})
    function agent.is_answered() return false end
    orders()
    assert.are.same({0.3}, visit.waited)
  end)

  it("does not wait for a dead agent", function()
    clock.pass(16)
    visit = new_visit({be_api = 0, be_web = 0})
    assert.are.same({}, orders())
    assert.are.equal(0, agent.asked)
  end)
end)

describe("the agent", function()
  local clock, agent, visit, session

  before_each(function()
    clock = new_clock()
    agent = new_agent(clock)
    visit = new_visit({be_api = 1, be_web = 1})
    session = agent.view.sessions[1]
  end)

  it("is called dead when it has not turned for more than 15 s", function()
    clock.pass(15)
    assert.is_nil(report.death(agent))
    clock.pass(0.1)
    assert.are.equal("the agent has not turned for 15 s or more: nothing " ..
      "changes until a reload of HAProxy", report.death(agent))
    assert.are.same({report.death(agent)}, report.troubles(agent))
  end)

  it("has no trouble when all is well", function()
    assert.are.same({}, report.troubles(agent))
  end)

  it("says which services cannot be found, and which are not served", function()
    local found = {path = "/all", state = "read", refused = {}}
    agent.view.found = found
    assert.are.same({}, report.troubles(agent))
    found.refused, found.refusals = {{name = "a", why = "no"}}, 1
    assert.are.same({"1 found in /all is not served, or not by its port: " ..
      "a: no"}, report.troubles(agent))
    found.refused[2], found.refusals = {name = "b", why = "no"}, 2
    assert.are.same({"2 found in /all are not served, or not by their " ..
      "ports: a: no; ..."}, report.troubles(agent))
    assert.are.same({"2 found are not served, or not by their ports"},
      report.troubles(agent, true))
    found.refused = {}
    for state, words in pairs({missing = "there is no such znode",
      ["error -102"] = "not authenticated"})
    do
      found.state, found.why = state, "not authenticated"
      assert.are.same({"services cannot be found in /all: " .. words},
        report.troubles(agent))
    end
  end)

  local NAMED = " (zk:2181): the servers stay as they are"
  for state, words in pairs({
    new = "no connection to ZooKeeper yet",
    connecting = "no connection to ZooKeeper",
    unknown = "no answer from ZooKeeper",
    expired = "the session with ZooKeeper has expired",
    auth_failed = "ZooKeeper refuses the credentials",
  }) do
    it("says of a session in the state " .. state .. ": " .. words, function()
      session.state = state
      assert.are.same({words .. NAMED}, report.troubles(agent))
      assert.are.same({words .. ": the servers stay as they are"},
        report.troubles(agent, true))
    end)
  end

  it("is silent about a connection that is back within 5 s", function()
    for _, state in ipairs({"new", "connecting"}) do
      session.state, session.since = state, clock.now() - 4
      assert.are.same({}, report.troubles(agent))
      session.since = clock.now() - 5
      assert.are.equal(1, #report.troubles(agent))
    end
    -- These do not end by themselves.
    session.state, session.since = "auth_failed", clock.now()
    assert.are.equal(1, #report.troubles(agent))
  end)

  it("names the cause that is known", function()
    session.state, session.cause = "connecting", "10.0.0.5:2181: refused"
    assert.are.same({"no connection to ZooKeeper (zk:2181; 10.0.0.5:2181: " ..
      "refused): the servers stay as they are"}, report.troubles(agent))
    session.missing = "zk has no address"
    assert.are.same({"no connection to ZooKeeper (zk:2181; zk has no " ..
      "address): the servers stay as they are"}, report.troubles(agent))
  end)

  it("names what the servers refuse, at once and alone", function()
    session.state, session.since = "connecting", clock.now()
    session.cause, session.refusal = "hung up", "session closed"
    assert.are.same({"ZooKeeper ends each connection: session closed" ..
      NAMED}, report.troubles(agent))
  end)

  it("lists every trouble of its own", function()
    agent.view.has_threads = false
    agent.view.runtime_failing, agent.view.snapshot_failing = true, true
    agent.view.snapshot_holder = "HAProxy 12"
    session.state = "expired"
    assert.are.same({
      "the session with ZooKeeper has expired" .. NAMED,
      "HAProxy's worker may not start threads: set `insecure-fork-wanted` " ..
        "in `global`",
      "HAProxy's runtime API does not answer: nothing changes",
      "the snapshot cannot be written; the old one stays",
      "HAProxy 12 has this HAProxy's state_file_path: no snapshot is kept; " ..
        "give each HAProxy a file of its own",
    }, report.troubles(agent))
  end)

  it("is ready from the moment when each service was read once", function()
    agent.is_ready, agent.view.unread = false, {"api", "web"}
    assert.are.same({"api", "web"}, report.unread(agent, visit))
    assert.are.equal(1, agent.asked)
    -- What fails later is no reason to send traffic elsewhere.
    agent.is_ready = true
    assert.are.same({}, report.unread(agent, visit))
    assert.are.equal(1, agent.asked)
  end)

  it("gives its status: where the journal is, and all sums", function()
    local status = report.status(agent, {problems = true}, visit)
    assert.are.same({"api"}, {status.views[1].name})
    assert.are.equal(1, agent.asked)
    assert.are.same({
      schema = 1, cursor = "1f.4", last_event = 0, matching = 1,
      delta = false,
      agent = {haproxy = "2.6.12", started = 800, version = "0.1.0"},
      ensembles = {{hosts = "zk:2181", state = "connected", since = 900,
        session = "0x1", timeout = 10, expiries = 1, connections = 2,
        fired = 3}},
      spare = {}, troubles = {},
      totals = {services = 2, whole = 1, degraded = 1, down = 0,
        instances = 3, states = {failed = 1, ready = 2, invalid = 1}},
      convergence = {count = 0, recent_ms = {}},
    }, cjson.decode(status.head))
    agent.journal.states = {}
    assert.is_truthy(report.status(agent, {}, visit).head:find(
      '"states":{}', 1, true))
  end)

  it("counts the errors since a service has its backend", function()
    local view, runtime = agent.journal.views.api, agent.deps.runtime
    runtime.counters = function() return {errors = 7} end
    assert.are.equal(7, report.in_brief(agent, view).counters.errors)
    agent.by_name.api.errors_before.BACKEND = 5
    assert.are.equal(2, report.in_brief(agent, view).counters.errors)
  end)

  it("says that blank backends run out", function()
    agent.view.spare = {
      {name = "spare-a", all = 5, free = 1, is_scarce = true},
      {name = "spare-b", all = 5, free = 2, is_scarce = false}}
    assert.are.same({"blank backends of spare-a: 4 of 5 are taken"},
      report.troubles(agent))
    assert.are.same({"blank backends: 4 of 5 are taken"},
      report.troubles(agent, true))
  end)

  it("lists the views of all services, by name", function()
    local views = report.views(agent, visit)
    assert.are.same({"api", "web", 2}, {views[1].name, views[2].name, #views})
    assert.are.equal(1, agent.asked)
  end)

  it("adds counters to a copy of a view, never to the view", function()
    local view = agent.journal.views.api
    local brief = report.in_brief(agent, view)
    assert.are.same({name = "be_api"}, brief.counters)
    assert.is_nil(brief.history)
    assert.are.equal(1, report.in_brief(agent, view, true).history[1].ready)
    local full = report.in_full(agent, view, visit.turn)
    assert.are.same({{time = 960, ready = 1, least = 1, changes = 2,
      errors = 3}}, full.history)
    assert.are.same({service = "api"}, full.counters)
    assert.are.same({sessions = 7}, full.instances[1].counters)
    assert.are.equal("api", full.name)
    assert.are.equal(3, #full.instances)
    assert.is_nil(full.instances[3].counters)
    assert.are.equal(3, visit.turns)
    assert.is_nil(view.counters)
    assert.is_nil(view.instances[1].counters)
  end)

  it("lists events: all, those after a number, those of a service", function()
    for _, name in ipairs({"api", "web", "api"}) do
      agent.journal.events:add({service = name, from = "a", to = "b"})
    end
    local function numbers(asked)
      local events, last = report.events(agent, asked, visit)
      local list = {}
      for i, event in ipairs(events) do
        list[i] = event.number
      end
      return {last, table.unpack(list)}
    end
    assert.are.same({3, 1, 2, 3}, numbers({}))
    assert.are.same({3, 2, 3}, numbers({since = 1}))
    assert.are.same({3, 1, 3}, numbers({service = "api"}))
    assert.are.equal(3, agent.asked)
  end)

  -- A user sends it to strangers.
  it("has a dump without a name, an address, a label or data", function()
    agent.journal.events:add({service = "web", instance = "10.0.0.2:80",
      from = "absent", to = "ready", ms = 2, why = "10.0.0.2"})
    agent.journal.events:add({service = "api", count = 30, from = "absent",
      to = "ready"})
    session.state, session.cause = "expired", "10.0.0.5:2181: refused"
    local text = report.dump(agent, visit)
    assert.are.same({
      schema = 1, version = "0.1.0", haproxy = "2.6.12", started = 800,
      time = 1000, rounds = 5, commands = 6, refused = 7,
      sessions = {{ensemble = "ensemble-1", state = "expired", since = 900,
        timeout = 10, expiries = 1, connections = 2}},
      troubles = {"the session with ZooKeeper has expired: the servers stay " ..
        "as they are"},
      convergence = {count = 0, recent_ms = {}},
      services = {
        {service = "service-1", state = "degraded", source = "zookeeper",
          slots = 8, used = 2, drift = 2, paths = {"read", "missing"},
          instances = {{state = "failed", instance = "instance-1"},
            {state = "invalid", instance = "instance-2"},
            {state = "ready", instance = "instance-3"}}},
        {service = "service-2", state = "whole", source = "default",
          slots = 4, used = 1, drift = 0, paths = {"read"},
          instances = {{state = "ready", instance = "instance-3"}}},
      },
      events = {
        {time = 1000, service = "service-2", instance = "instance-3",
          from = "absent", to = "ready", ms = 2},
        {time = 1000, service = "service-1", count = 30, from = "absent",
          to = "ready"},
      },
    }, cjson.decode(text))
    for _, secret in ipairs({"api", "web", "10.0.0", "zk:", "i_3", "zone"}) do
      assert.is_nil(text:find(secret, 1, true))
    end
  end)
end)
