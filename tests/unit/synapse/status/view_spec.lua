local view = require("synapse.status.view")

describe("the state of an instance", function()
  local cases = {
    {"ready", nil, {}},
    {"ready", "`backup` is not applied: z", {objection = "z"}},
    {"ready", "a backup: used where no other can be", {is_backup = true}},
    {"waiting", "no slot is free: y", {slot = false, obstacle = "y"}},
    {"waiting", "no slot is free: one is being added", {slot = false}},
    {"maint", "maint by an operator",
      {operator_state = "maint", check = "fails"}},
    {"pending", "HAProxy refused `set x`: No.; it is tried again",
      {refused = "set x", refusal = "No.", settled = false}},
    {"pending", "HAProxy has not acknowledged it yet", {settled = false}},
    {"failed", "HAProxy's check fails: refused",
      {check = "fails", check_why = "refused", retained = 5, weight = 0}},
    {"failed", "HAProxy's check fails", {check = "fails"}},
    {"retained", "gone from ZooKeeper with many others; kept while " ..
      "HAProxy's check passes", {retained = 5, weight = 0}},
    {"draining", "drain by an operator", {operator_state = "drain"}},
    {"draining", "weight 0", {weight = 0}},
  }
  for _, case in ipairs(cases) do
    it("is " .. case[1] .. ": " .. (case[2] or "nothing to say"), function()
      local facts = {slot = "s1", settled = true}
      for name, value in pairs(case[3]) do
        facts[name] = value
      end
      assert.are.same({case[1], case[2]}, {view.instance(facts)})
    end)
  end
end)

describe("the state of a service", function()
  local function judge(counts, changes)
    local facts = {counts = counts, instances = 0, source = "zookeeper",
      nothing = "no instance in ZooKeeper",
      paths = {{path = "/web", state = "read"}}}
    for _, count in pairs(counts) do
      facts.instances = facts.instances + count
    end
    for name, value in pairs(changes or {}) do
      facts[name] = value
    end
    local state, reasons = view.service(facts)
    return {state, table.unpack(reasons)}
  end

  it("is whole when all are ready", function()
    assert.are.same({"whole"}, judge({ready = 2}))
  end)

  it("is down when none can take new requests", function()
    assert.are.same({"down", "no instance"}, judge({}))
    assert.are.same({"down", "none of 1 instance can take new requests",
      "1 instance fails HAProxy's check"}, judge({failed = 1}))
  end)

  it("is degraded by what is not as it should be, the worst first", function()
    assert.are.same({"degraded", "2 instances fail HAProxy's check",
      "1 znode is refused", "1 instance waits for a slot: z",
      "1 instance in maint by an operator"},
      judge({ready = 1, failed = 2, invalid = 1, waiting = 1, maint = 1},
        {obstacle = "z"}))
  end)

  it("is no worse for what people do to it", function()
    assert.are.same({"whole", "1 instance in maint by an operator",
      "2 instances draining"}, judge({ready = 1, maint = 1, draining = 2}))
  end)

  it("is up while the guard retains its instances", function()
    assert.are.equal("degraded", judge({retained = 3})[1])
  end)

  -- The log said "not authenticated" and the page "error -102".
  it("names the path that is not read, and why", function()
    for _, case in ipairs({
      {"new", nil, "/web is not read from ZooKeeper yet"},
      {"missing", nil, "/web is no znode in ZooKeeper; what was known is kept"},
      {"error -102", "not authenticated",
        "/web cannot be read from ZooKeeper: not authenticated"},
      {"unmade", "not authenticated", "/web is no znode in ZooKeeper, and " ..
        "cannot be made: not authenticated"},
    }) do
      assert.are.same({"degraded", case[3]}, judge({ready = 1},
        {paths = {{path = "/web", state = case[1], why = case[2]}}}))
    end
  end)

  it("names where its instances are from, if not from ZooKeeper", function()
    assert.are.same({"degraded", "no instance in ZooKeeper, the previous " ..
      "ones stay"}, judge({ready = 1}, {source = "previous"}))
    assert.are.same({"degraded", "no instance in ZooKeeper, its " ..
      "default_servers are used"}, judge({ready = 1}, {source = "default"}))
  end)

  it("says that it is frozen", function()
    assert.are.same({"degraded", "frozen by command"},
      judge({ready = 1}, {frozen = true}))
  end)
end)

describe("the view of a service", function()
  local published, known, list, sources
  local function never() return false end

  local function source(hosts, path)
    local one = {hosts = hosts, path = path, state = "read", bad = {},
      data_of = {}}
    function one.problems() return one.bad end
    function one.data(_, znode) return one.data_of[znode] end
    return one
  end

  before_each(function()
    list, known, sources = {}, {}, {source("zk:2181", "/web")}
    published = {name = "web", backend = "be", drift = 3,
      source = "zookeeper", nothing = "no instance in ZooKeeper",
      slot_names = {"s1", "s2", "s3"}, used = 2, has_record = false}
  end)

  local function add(key, facts, instance)
    instance = instance or {}
    instance.key, instance.znode = key, instance.znode or "i_" .. key
    facts.instance = not facts.unused and instance or nil
    list[#list + 1], known[key] = instance, facts
    return instance
  end

  local function begin()
    return view.begin({
      instances = function() return list end,
      view = function() return published end,
      view_of = function(_, key) return known[key] end,
    }, sources)
  end

  local function latest()
    return view.continue(begin(), never)
  end

  it("tells all that is known of an instance", function()
    add("a", {slot = "s1", settled = true, weight = 7, operator_state = "drain",
      order = {reason = "disk", since = 5, till = 9.5}},
      {name = "one", labels = {zone = "z"}, weight = 3})
    sources[1].data_of.i_a = "{}"
    sources[1].bad = {{znode = "i_a", problem = "weight: x, dropped"}}
    assert.are.same({{key = "a", state = "draining",
      why = "drain by an operator until 1970-01-01T00:00:09Z: disk",
      slot = "s1", name = "one", weight = 7, znode = "i_a", data = "{}",
      problem = "weight: x, dropped", labels = {zone = "z"},
      operator = {state = "drain", reason = "disk", since = 5, till = 9},
    }}, latest().instances)
  end)

  it("leaves out what an instance has not", function()
    add("a", {slot = "s1", settled = true, order = {reason = "old"}},
      {labels = {}, weight = 3})
    assert.are.same({{key = "a", state = "ready", slot = "s1", weight = 3,
      znode = "i_a"}}, latest().instances)
    -- An operator's state by hand has neither a reason nor an end.
    known.a.operator_state, known.a.order = "maint", nil
    assert.are.same({"maint", nil},
      {latest().instances[1].state, latest().instances[1].operator})
    known.a.order = {since = 5}
    assert.are.same({state = "maint", since = 5},
      latest().instances[1].operator)
  end)

  it("names an instance that the policy leaves out as its znode does",
    function()
      add("a", {unused = true, reason = "prefer names others"},
        {name = "one"})
      assert.are.same({{key = "a", state = "unused", name = "one",
        why = "prefer names others", znode = "i_a"}}, latest().instances)
      assert.are.equal(1, latest().number)
    end)

  it("lists refused znodes, which are no instances", function()
    sources[1].bad = {
      {znode = "x", problem = "no port", is_refused = true, data = "{}"}}
    local now = latest()
    assert.are.same({{key = "x", state = "invalid", why = "no port",
      znode = "x", data = "{}"}}, now.instances)
    assert.are.same({0, {invalid = 1}}, {now.number, now.counts})
  end)

  it("begins with the instances that need a look, and counts them",
    function()
      add("a", {slot = "s1", settled = true})
      add("b", {slot = "s2", settled = true, check = "fails"})
      add("c", {slot = "s3", settled = true})
      local now = latest()
      assert.are.same({"b", "a", "c"}, {now.instances[1].key,
        now.instances[2].key, now.instances[3].key})
      assert.are.same({failed = 1, ready = 2}, now.counts)
      assert.are.same({3, 3, 2, 3}, {now.number, now.slots, now.used,
        now.drift})
      assert.are.same({"degraded", {"1 instance fails HAProxy's check"}},
        {now.state, now.reasons})
    end)

  it("finds the data of a znode on whichever path has it", function()
    add("a", {slot = "s1", settled = true})
    sources[2] = source("zk2:2181", "/old")
    sources[2].state, sources[2].why = "missing", "gone"
    sources[2].data_of.i_a = "here"
    local now = latest()
    assert.are.equal("here", now.instances[1].data)
    assert.are.same({
      {hosts = "zk:2181", path = "/web", state = "read"},
      {hosts = "zk2:2181", path = "/old", state = "missing", why = "gone"},
    }, now.paths)
  end)

  it("leaves out an instance that left in the meantime", function()
    add("a", {slot = "s1", settled = true})
    add("b", {slot = "s2", settled = true})
    local building = begin()
    assert.is_nil(view.continue(building, function() return true end))
    known.b = nil
    local now = view.continue(building, never)
    assert.are.same({1, "a"}, {now.number, now.instances[1].key})
  end)

  it("says that a service was never read, from a path or a snapshot",
    function()
      for state, is_unread in pairs({new = true, ["error -4"] = true,
        read = false, missing = false, unmade = false}) do
        sources[1].state = state
        assert.are.equal(is_unread, latest().is_unread, state)
      end
      sources[1].state, sources[2] = "read", source("zk:2181", "/b")
      sources[2].state = "new"
      assert.is_true(latest().is_unread)
      published.has_record = true
      assert.is_false(latest().is_unread)
    end)

  it("has what the service publishes of itself", function()
    published.preference, published.operated = "unmet", {maint = 1}
    published.unmet, published.frozen = "none in zone a", true
    published.source = "nobody"
    local now = latest()
    assert.are.same({"web", "be", "nobody", "unmet", {maint = 1}},
      {now.name, now.backend, now.source, now.preference, now.operated})
    assert.are.same({"s1", "s2", "s3"}, now.slot_names)
    assert.are.same({"no instance", "no instance has a sequence and a weight" ..
      " above 0, so none can be the leader", "frozen by command",
      "none in zone a"}, now.reasons)
    assert.are.equal("down", now.state)
  end)

  it("counts in words", function()
    for count, words in pairs({[1] = "1 znode is refused",
      [2] = "2 znodes are refused"}) do
      local _, reasons = view.service({counts = {ready = 1, invalid = count},
        instances = 1, paths = {}})
      assert.are.same({words}, reasons)
    end
    for count, words in pairs({[1] = "1 instance is gone from ZooKeeper at " ..
      "once, kept by the guard", [2] = "2 instances are gone from ZooKeeper " ..
      "at once, kept by the guard"}) do
      local _, reasons = view.service({counts = {retained = count},
        instances = count, paths = {}})
      assert.are.same({words}, reasons)
    end
    for count, words in pairs({[1] = "1 instance is not yet as wanted in " ..
      "HAProxy", [2] = "2 instances are not yet as wanted in HAProxy"}) do
      local _, reasons = view.service({counts = {ready = 1, pending = count},
        instances = count + 1, paths = {}})
      assert.are.same({words}, reasons)
    end
    local _, reasons = view.service({counts = {ready = 1, waiting = 2},
      instances = 3, paths = {}})
    assert.are.same({"2 instances wait for a slot: one is being added"},
      reasons)
  end)
end)

describe("the state of one instance of a service", function()
  it("is nothing where the service does not know it", function()
    local service = {view_of = function(_, key)
      return key == "a" and {slot = "s1", settled = true} or nil
    end}
    assert.are.equal("ready", (view.state(service, "a")))
    assert.is_nil(view.state(service, "b"))
  end)
end)
