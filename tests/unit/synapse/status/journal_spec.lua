local history = require("synapse.status.history")
local journal = require("synapse.status.journal")
local service = require("synapse.service.service")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")
local planned = dofile("tests/fake/planned.lua")

local function instance(last)
  return {key = "10.0.0." .. last .. ":80", host = "10.0.0." .. last,
    port = 80, znode = "i_" .. last}
end

describe("a journal", function()
  local clock, one, source, book
  local function never() return false end

  local function latest()
    book:ask()
    book:make_views(never)
    book:publish()
    return book.views[one.name]
  end
  local guard = {window = 10, share = 0.5, hold = 60}

  before_each(function()
    clock = new_clock()
    local pool, declared = {}, {}
    for i = 1, 30 do
      pool[i] = "s" .. i
      declared["s" .. i] = {weight = 1, maxconn = 0}
    end
    one = service.new({
      retained_by = {}, backend = "web",
      config = {name = "web", backend = "web", path = "/web",
        default_servers = {}, use_previous_backends = true,
        fixed = "server_options is not set", guard = guard},
      pool = pool, declared = declared,
      now = clock.now, wall = clock.now, log = new_log(),
      sessions = function() return 0 end,
      is_claimed = function() return false end,
    })
    source = {path = "/web", state = "read", version = 0, bad = {}}
    function source.problems()
      return source.bad
    end
    function source.data() end
    book = journal.new({services = {one}, now = clock.now, wall = clock.now,
      histories = {}, sources = function() return {source} end})
    book:begin()
    one.known = true
  end)

  local function apply_round()
    local needs_more = false
    for _, group in ipairs(planned(one)) do
      for _, command in ipairs(group) do
        one:sent(command)
        if command.field ~= "state" then
          needs_more = one:done(command) or needs_more
        end
      end
    end
    return needs_more
  end

  -- HAProxy does all that is planned.
  local function apply()
    while apply_round() do end
    planned(one)
    book:settle(one)
  end

  local function events()
    local list = {}
    for i, it in ipairs(book.events:since(0)) do
      list[i] = string.format("%s %s -> %s", it.instance or it.count, it.from,
        it.to)
    end
    return list
  end

  it("tells of an instance that comes and goes, and how long it took",
    function()
      one:update({instance(1)}, clock.now())
      clock.pass(0.25)
      apply()
      one:update({}, nil)
      one:update({instance(2)}, nil)
      apply()
      assert.are.same({"10.0.0.1:80 absent -> ready",
        "10.0.0.2:80 absent -> ready", "10.0.0.1:80 ready -> absent"},
        events())
      assert.are.equal(250, book.events:since(0)[1].ms)
      assert.are.equal(1, book.convergence.total)
    end)

  -- The clock begins at 1000: minute 16 is the first one.
  local function minutes(name)
    local list = {}
    for i, it in ipairs(history.entries(book:history(name), clock.now())) do
      list[i] = {it.time // 60, it.ready, it.least, it.changes, it.errors}
    end
    return list
  end

  it("knows the last hour of a service", function()
    assert.are.same({{16, 0, 0, 0, 0}}, minutes("web"))
    one:update({instance(1), instance(2)})
    apply()
    clock.pass(60)
    one:update({instance(2)})
    apply()
    book:settle(one)
    assert.are.same({{16, 2, 0, 2, 0}, {17, 1, 1, 1, 0}}, minutes("web"))
    assert.are.same({}, minutes("nobody"))
  end)

  it("goes on with the hour of the worker before", function()
    book = journal.new({services = {one}, now = clock.now, wall = clock.now,
      histories = {web = history.add("", 600, 2, 1, 0)},
      sources = function() return {source} end})
    book:begin()
    assert.are.same({{10, 2, 2, 1, 0}, {16, 0, 0, 0, 0}}, minutes("web"))
  end)

  it("counts the errors of a service as they grow", function()
    book:count_errors(one, 0)
    book:count_errors(one, 5)
    book:count_errors(one, 2)  -- an operator has cleared the counters
    book:count_errors(one, 3)
    assert.are.same({{16, 0, 0, 0, 6}}, minutes("web"))
  end)

  it("tells of many that do the same in one event", function()
    local all = {}
    for i = 1, 25 do
      all[i] = instance(10 + i)
    end
    one:update(all)
    apply()
    assert.are.same({"25 absent -> ready"}, events())
    assert.are.equal("10.0.0.11:80, 10.0.0.12:80, 10.0.0.13:80, " ..
      "10.0.0.14:80, 10.0.0.15:80, ...", book.events:since(0)[1].why)
  end)

  it("tells of up to twenty one by one, by their addresses", function()
    local all = {}
    for i = 1, 20 do
      all[i] = instance(31 - i)
    end
    one:update(all)
    apply()
    assert.are.equal(20, #events())
    assert.are.equal("10.0.0.11:80 absent -> ready", events()[1])
    assert.are.equal("10.0.0.30:80 absent -> ready", events()[20])
  end)

  it("tells of znodes, of what is frozen, and of sessions", function()
    book:report_znode(one, "i_1", "no port")
    book:report_znode(one, "i_1", nil)
    book:report_frozen(one, "thawed", "frozen")
    book:report_session("zk:2181", "connected", "expired")
    local list = book.events:since(0)
    for i, event in ipairs({
      {service = "web", instance = "i_1", from = "znode", to = "invalid",
        why = "no port"},
      {service = "web", instance = "i_1", from = "invalid", to = "znode"},
      {service = "web", from = "thawed", to = "frozen", why = "by command"},
      {instance = "zk:2181", from = "connected", to = "expired",
        why = "session with ZooKeeper"},
    }) do
      event.number, event.time = i, 1000
      assert.are.same(event, list[i])
    end
  end)

  it("tells of a check that fails, with the reason", function()
    one:update({instance(1)})
    apply()
    local states = {}
    for slot, server in pairs(one.actual.servers) do
      states[slot] = {id = 1, host = server.host, port = server.port,
        weight = server.weight, initial = 1, admin = server.admin}
      if server.admin == "ready" then
        states[slot].check, states[slot].check_why = "fails", "wrong status"
      end
    end
    one:observe(states)
    book:settle(one)
    assert.are.equal("10.0.0.1:80 ready -> failed", events()[2])
    assert.are.equal("HAProxy's check fails: wrong status",
      book.events:since(1)[1].why)
  end)

  it("tells of retained instances", function()
    one:update({instance(1), instance(2), instance(3)})
    apply()
    for _, server in pairs(one.actual.servers) do
      server.check = "passes"
    end
    clock.pass(11)
    one:update({instance(4)})
    apply()
    assert.are.equal("retained", latest().instances[3].state)
    assert.are.same({"10.0.0.1:80 ready -> retained",
      "10.0.0.2:80 ready -> retained", "10.0.0.3:80 ready -> retained"},
      table.move(events(), 5, 7, 1, {}))
    clock.pass(60)
    one:review()
    apply()
    assert.are.equal("10.0.0.1:80 retained -> absent", events()[8])
  end)

  it("takes what the last run left for granted", function()
    one:update({instance(1)}, clock.now())
    book:begin()
    apply()
    assert.are.equal(0, book.convergence.total)
    assert.are.same({"10.0.0.1:80 pending -> ready"}, events())
  end)

  it("makes the view of a service only when it may have changed",
    function()
      local first = latest()
      assert.are.equal(first, latest())
      assert.is_true(book:make_views(never))
      assert.are.same({"web"}, book.names)
      one:update({instance(1)})
      local pending = latest()
      assert.are.equal("pending", pending.instances[1].state)
      apply()
      assert.are.equal(1, latest().number)
      source.bad = {{znode = "bad", problem = "has no host; refused",
        is_refused = true, data = "{}"}}
      source.version = 1
      local now = latest()
      assert.are.equal("{}", now.instances[1].data)
      assert.are.same({"invalid", "ready"},
        {now.instances[1].state, now.instances[2].state})
      assert.are.same({1, 1, "degraded"}, {now.number, now.used, now.state})
      assert.is_true(now.cursor > pending.cursor)
    end)

  it("adds the views up, and knows which changed since",
    function()
      latest()
      assert.are.same({services = 1, whole = 0, degraded = 0, down = 1,
        instances = 0}, book.totals)
      local before = book.cursor
      one:update({instance(1), instance(2)})
      apply()
      assert.are.same({}, book:newer(before))
      latest()
      assert.are.same({services = 1, whole = 1, degraded = 0, down = 0,
        instances = 2}, book.totals)
      assert.are.same({ready = 2}, book.states)
      assert.are.same({"web"}, book:newer(before))
      assert.are.same({"web"}, book:newer(before - 1))
      assert.are.same({}, book:newer(book.cursor))
      assert.are.same({"web"}, book:newer(book.cursor - 50))
      assert.is_nil(book:newer(book.cursor - 51))
      assert.is_nil(book:newer(book.cursor - 1000))
    end)

  -- A request that HAProxy interrupted walked tables that the main task changed
  -- meanwhile: `invalid key to 'next'`, and totals that were counted twice.
  it("is made by the main task, a part in each turn, and published whole",
    function()
      one:update({instance(1), instance(2), instance(3)})
      local number, before = book:ask(), book.views.web
      assert.is_false(book:make_views(function() return true end))
      assert.are.equal(before, book.views.web)
      one:update({instance(2)})
      assert.is_true(book:make_views(never))
      assert.are.equal(2, book.views.web.number)
      assert.is_true(book:is_wanted())
      book:publish()
      assert.are.equal(number, book.published)
      assert.is_false(book:is_wanted())
      assert.are.equal(1, latest().number)
    end)

  it("serves who asks in the middle of a walk by the next one", function()
    one:update({instance(1)})
    book:ask()
    assert.is_false(book:make_views(function() return true end))
    local number = book:ask()
    assert.is_true(book:make_views(never))
    book:publish()
    assert.is_true(book.published < number)
    latest()
    assert.is_true(book.published >= number)
  end)

  it("has views and sums that stay as they are", function()
    one:update({instance(1)})
    local first = latest()
    local totals, states = book.totals, book.states
    one:update({instance(1), instance(2)})
    latest()
    assert.are.same({1, 1}, {first.number, totals.instances})
    assert.are.same({pending = 1}, states)
    apply()
    latest()
    assert.are.same({ready = 2}, book.states)
  end)

  it("makes the next view in the next turn when it is tired", function()
    local services = {}
    for i, name in ipairs({"a", "b"}) do
      services[i] = {name = name, version = 0,
        instances = function() return {} end,
        view = function()
          return {name = name, slot_names = {}, source = "zookeeper"}
        end}
    end
    book = journal.new({services = services, now = clock.now, wall = clock.now,
      histories = {}, sources = function() return {} end})
    local function tired() return true end
    assert.is_false(book:make_views(tired))
    assert.is_nil(book.views.b)
    assert.is_true(book:make_views(tired))
    assert.are.equal("b", book.views.b.name)
    assert.are.same({"a", "b"}, book.names)
  end)

  it("shows what is wrong with the znode of an instance that was kept",
    function()
      one:update({instance(1)})
      apply()
      source.bad = {{znode = "i_1", problem = "weight: x, dropped"}}
      assert.are.equal("weight: x, dropped",
        latest().instances[1].problem)
    end)

  describe("whose services change", function()
    local two

    before_each(function()
      latest()
      two = service.new({
        retained_by = {}, backend = "api",
        config = {name = "api", backend = "api", path = "/api",
          default_servers = {}, use_previous_backends = true,
          fixed = "server_options is not set", guard = guard},
        pool = {"s1"}, declared = {s1 = {weight = 1, maxconn = 0}},
        now = clock.now, wall = clock.now, log = new_log(),
        sessions = function() return 0 end,
        is_claimed = function() return false end,
      })
    end)

    local function add()
      table.insert(book.services, 1, two)
      book:follow({two}, {})
    end

    it("shows one that was added, without a new request", function()
      local views = book.views
      add()
      assert.are.same({"api", "web"}, book.names)
      assert.are.equal("api", book.views.api.name)
      assert.is_nil(views.api)
      assert.are.equal(2, book.totals.services)
      assert.are.equal(2, book.totals.down)
    end)

    it("forgets one that was removed", function()
      add()
      local names, views = book.names, book.views
      table.remove(book.services, 1)
      book:follow({}, {two})
      assert.are.same({"web"}, book.names)
      assert.are.same({"api", "web"}, names)
      assert.is_truthy(views.api)
      assert.is_nil(book.views.api)
      assert.are.equal(1, book.totals.services)
      assert.are.equal(1, book.totals.down)
      assert.are.equal("web", latest().name)
    end)

    -- A page that has shown a service gets only what is new, and would show it
    -- for ever.
    it("has another name then, so that clients read everything", function()
      local before = book.boot
      add()
      assert.are_not.equal(before, book.boot)
      before = book.boot
      table.remove(book.services, 1)
      book:follow({}, {two})
      assert.are_not.equal(before, book.boot)
    end)

    it("has the last hour of those that there are", function()
      add()
      assert.are.same({{16, 0, 0, 0, 0}}, minutes("api"))
      book:count_errors(two, 7)  -- its backend was another one's
      book:count_errors(two, 9)
      assert.are.same({{16, 0, 0, 0, 2}}, minutes("api"))
      table.remove(book.services, 1)
      book:follow({}, {two})
      assert.are.same({}, minutes("api"))
      assert.are.same({{16, 0, 0, 0, 0}}, minutes("web"))
    end)

    it("has an event of another configuration", function()
      book:report_configured(one, "guard")
      local event = book.events:since(0)[1]
      assert.are.same({"web", "configured", "guard"},
        {event.service, event.from, event.to})
    end)
  end)
end)

describe("events", function()
  local clock, kept

  before_each(function()
    clock = new_clock()
    kept = journal.events(3, clock.now)
  end)

  local function numbers(list)
    local found = {}
    for i, one in ipairs(list) do
      found[i] = one.number
    end
    return found
  end

  it("have numbers from one on, and the time", function()
    kept:add({to = "a"})
    clock.pass(5)
    kept:add({to = "b"})
    assert.are.same({{number = 1, time = 1000, to = "a"},
      {number = 2, time = 1005, to = "b"}}, kept:since(0))
  end)

  it("are the last ones alone", function()
    for _ = 1, 5 do
      kept:add({})
    end
    assert.are.same({3, 4, 5}, numbers(kept:since(0)))
    assert.are.same({5}, numbers(kept:since(4)))
    assert.are.same({}, kept:since(5))
    assert.is_nil(kept.kept[2])
    assert.are.same({}, kept:since(999))
  end)
end)

describe("a histogram", function()
  local one

  before_each(function()
    one = journal.histogram({1, 2, 4})
  end)

  it("counts by the first bound that is not exceeded", function()
    for _, value in ipairs({0.5, 1, 1.5, 4, 5}) do
      one:add(value)
    end
    assert.are.same({2, 1, 1, 1}, one.counts)
    assert.are.same({5, 12}, {one.total, one.sum})
  end)

  it("tells what a share of the last ones does not exceed", function()
    assert.is_nil(one:quantile(0.5))
    for value = 100, 1, -1 do
      one:add(value)
    end
    assert.are.same({50, 99, 100, 1}, {one:quantile(0.5), one:quantile(0.99),
      one:quantile(1), one:quantile(0)})
  end)

  it("keeps the last two hundred, in order", function()
    for value = 1, 250 do
      one:add(value)
    end
    local recent = one:recent()
    assert.are.same({200, 51, 250}, {#recent, recent[1], recent[200]})
  end)
end)
