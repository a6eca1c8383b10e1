local view = require("synapse.status.view")

describe("the state of an instance", function()
  local cases = {
    {"ready", nil, {}},
    {"ready", "`backup` is not applied: z", {objection = "z"}},
    {"ready", "a backup: used where no other can be", {is_backup = true}},
    {"waiting", "no slot is free: y", {slot = false, obstacle = "y"}},
    {"waiting", "no slot is free: one is being added", {slot = false}},
    {"maint", "maint by an operator", {hold = "maint", check = "fails"}},
    {"pending", "HAProxy refused `set x`: No.; it is tried again",
      {refused = "set x", refusal = "No.", settled = false}},
    {"pending", "HAProxy has not acknowledged it yet", {settled = false}},
    {"failed", "HAProxy's check fails: refused",
      {check = "fails", check_why = "refused", retained = 5, weight = 0}},
    {"failed", "HAProxy's check fails", {check = "fails"}},
    {"retained", "gone from ZooKeeper with many others; kept while " ..
      "HAProxy's check passes", {retained = 5, weight = 0}},
    {"draining", "drain by an operator", {hold = "drain"}},
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
