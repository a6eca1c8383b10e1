local wanted = require("synapse.service.wanted")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")

local function made(key, sequence, weight)
  return {key = key, sequence = sequence, weight = weight}
end

local function service(changes)
  local one = {default_servers = {}, use_previous_backends = true}
  for key, value in pairs(changes or {}) do
    one[key] = value
  end
  return one
end

describe("the instances wanted", function()
  it("are those in ZooKeeper", function()
    local instances = {made("a:1", 2), made("b:1", 1)}
    local list, source = wanted.of(service(), instances)
    assert.are.same({made("a:1", 2), made("b:1", 1)}, list)
    assert.are.equal("zookeeper", source)
  end)

  it("have each default server once, sorted", function()
    local b, a = made("b:1"), made("a:1")
    assert.are.same({a, b}, (wanted.of(
      service({default_servers = {b, a, made("b:1")}}), {})))
  end)

  it("are the default servers when ZooKeeper has none", function()
    local default = made("d:1")
    local list, source = wanted.of(
      service({default_servers = {default}}), {})
    assert.are.same({default}, list)
    assert.are.equal("default", source)
  end)

  it("are none where there is nothing", function()
    assert.are.same({}, (wanted.of(service(), {})))
  end)

  it("leave what was given as it was", function()
    local given = {made("b:1"), made("a:1")}
    wanted.of(service({default_servers = given}), {})
    assert.are.equal("b:1", given[1].key)
  end)

  it("have the default servers beside them where these are kept", function()
    local default, found = made("d:1"), made("a:1", 1)
    found.znode = "a_0000000001"
    local policy = service({default_servers = {default, made("a:1")},
      keep_default_servers = true})
    assert.are.same({found, default}, (wanted.of(policy, {found})))
    assert.are.same({made("a:1"), default}, (wanted.of(policy, {})))
  end)

  it("are the leader alone, of whatever there is", function()
    local policy = service({leader_election = true})
    local all = {made("a:1", 9), made("b:1", 8)}
    assert.are.same({all[2]}, (wanted.of(policy, all)))
  end)

  it("are nobody where nobody can be the leader", function()
    local list, source = wanted.of(service({leader_election = true}),
      {made("a:1"), made("b:1")})
    assert.are.same({}, list)
    assert.are.equal("nobody", source)
  end)
end)

describe("the leader", function()
  it("is the instance with the smallest sequence", function()
    local first = made("c:1", 2)
    assert.are.same({first},
      wanted.leader({made("a:1", 10), made("b:1", 3), first}))
  end)

  it("is never one without a sequence", function()
    local second = made("b:1", 7)
    assert.are.same({second}, wanted.leader({made("a:1"), second}))
    assert.are.same({}, wanted.leader({made("a:1"), made("b:1")}))
  end)

  it("is the first by key where two sources have the same sequence", function()
    local first = made("a:1", 1)
    assert.are.same({first}, wanted.leader({made("b:1", 1), first}))
  end)

  it("is never one that says by its weight that it goes", function()
    local second = made("b:1", 2)
    assert.are.same({second}, wanted.leader({made("a:1", 1, 0), second}))
  end)

  it("is nobody among nobody", function()
    assert.are.same({}, wanted.leader({}))
  end)
end)

describe("what is told of the instances wanted", function()
  local clock, log, objections, one

  local function registered(...)
    local list = {}
    for i, number in ipairs({...}) do
      list[i] = {key = number .. ":80", znode = "i_" .. number,
        sequence = number}
    end
    return list
  end

  local function new(changes, record)
    local config = service(changes)
    config.name = "web"
    config.guard = {window = 10, share = 0.5, hold = 60}
    record = record or {instances = {}}
    record.retained = {}
    one = wanted.new({config = config, record = record, now = clock.now,
      log = log, can_serve = function() return true end,
      objection = function(instance) return objections[instance.key] end})
  end

  before_each(function()
    clock, log, objections = new_clock(), new_log(), {}
  end)

  it("is where they are from, before ZooKeeper has answered", function()
    new()
    assert.are.equal("zookeeper", one.source)
    new({default_servers = {made("d:1")}})
    assert.are.equal("default", one.source)
    new(nil, {instances = registered(1)})
    assert.are.equal("previous", one.source)
  end)

  it("is once that subsets are too small, and again when they are again",
    function()
      new({subset = {size = 2, least = 0, machine = "m", machines = 10}})
      local line = "warning: web: with 10 machines a `subset.size` of 2 " ..
        "loads the 3 instances unevenly; 3 would be even"
      one:take(registered(1, 2, 3))
      one:take(registered(1, 2, 3))
      assert.are.same({line}, log.lines)
      one:take(registered(1, 2))
      one:take(registered(1, 2, 3))
      assert.are.same({line, line}, log.lines)
    end)

  it("is nothing where there never was an instance", function()
    new()
    one:take({})
    assert.are.equal("zookeeper", one.source)
    assert.are.same({}, log.lines)
  end)

  it("is that default servers are used", function()
    new({default_servers = {made("d:1")}})
    one:take(registered(1))
    assert.are.same({}, log.lines)
    one:take({})
    assert.are.same(
      {"warning: web: no instance in ZooKeeper, using default_servers"},
      log.lines)
    one:take({})
    assert.are.equal(1, #log.lines)
  end)

  it("is that nobody can be the leader", function()
    new({leader_election = true})
    one:take(registered(1, 2))
    assert.are.same({}, log.lines)
    one:take({made("a:1"), made("b:1", 3, 0)})
    assert.are.same({"warning: web: no instance has a sequence and a weight " ..
      "above 0, so none can be the leader"}, log.lines)
  end)

  it("is why each is no longer retained", function()
    new()
    one:take(registered(1, 2, 3, 4, 5, 6))
    clock.pass(10)
    one:take(registered(1))
    assert.are.same({"warning: web: 5 of 6 instances are gone within 10 s, " ..
      "1 left: 5 instances (2:80, 3:80, 4:80, ...) retained while " ..
      "HAProxy's checks pass, 60 s at most"}, log.lines)
    objections["5:80"], objections["6:80"] = "HAProxy's check fails",
      "HAProxy's check fails"
    one:take(registered(1, 2))
    table.remove(log.lines, 1)
    assert.are.same({
      "info: web: 2 instances (5:80, 6:80) no longer retained: " ..
        "HAProxy's check fails",
      "info: web: 1 instance (2:80) no longer retained: registered again",
    }, log.lines)
  end)

  it("is once that the old instances serve until another path has some",
    function()
      new(nil, {instances = registered(1, 2), is_moved = true})
      one:take({})
      one:take({})
      assert.are.same({"warning: web: no instance in ZooKeeper, the 2 " ..
        "previous ones stay"}, log.lines)
      one:take(registered(3))
      assert.are.equal("zookeeper", one.source)
      one:take({})
      assert.are.equal("previous", one.source)
      assert.are.equal("warning: web: no instance in ZooKeeper, the " ..
        "previous one stays", log.lines[2])
    end)
end)
