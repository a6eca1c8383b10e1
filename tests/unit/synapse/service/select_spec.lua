local select = require("synapse.service.select")

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
    local wanted, source = select.wanted(service(), instances, {})
    assert.are.same({made("a:1", 2), made("b:1", 1)}, wanted)
    assert.are.equal("zookeeper", source)
  end)

  it("have each default server once, sorted", function()
    local b, a = made("b:1"), made("a:1")
    assert.are.same({a, b}, (select.wanted(
      service({default_servers = {b, a, made("b:1")}}), {}, {})))
  end)

  it("are the default servers when ZooKeeper has none", function()
    local default = made("d:1")
    local wanted, source = select.wanted(
      service({default_servers = {default}}), {}, {made("a:1", 1)})
    assert.are.same({default}, wanted)
    assert.are.equal("default", source)
  end)

  it("are the previous ones without default servers", function()
    local previous = {made("a:1", 1)}
    local wanted, source = select.wanted(service(), {}, previous)
    assert.are.same(previous, wanted)
    assert.are.equal("previous", source)
  end)

  it("are none without use_previous_backends", function()
    local wanted, source = select.wanted(
      service({use_previous_backends = false}), {}, {made("a:1", 1)})
    assert.are.same({}, wanted)
    assert.are.equal("zookeeper", source)
  end)

  it("are none when there never were any", function()
    assert.are.same({}, (select.wanted(service(), {}, {})))
  end)

  it("leave what was given as it was", function()
    local given = {made("b:1"), made("a:1")}
    select.wanted(service({default_servers = given}), {}, {})
    assert.are.equal("b:1", given[1].key)
  end)

  it("have the default servers beside them where these are kept", function()
    local default, found = made("d:1"), made("a:1", 1)
    found.znode = "a_0000000001"
    local policy = service({default_servers = {default, made("a:1")},
      keep_default_servers = true})
    assert.are.same({found, default}, (select.wanted(policy, {found}, {})))
    assert.are.same({made("a:1"), default}, (select.wanted(policy, {}, {})))
  end)

  it("are the leader alone, of whatever there is", function()
    local policy = service({leader_election = true})
    local all = {made("a:1", 9), made("b:1", 8)}
    assert.are.same({all[2]}, (select.wanted(policy, all, {})))
    local wanted, source = select.wanted(policy, {}, {all[2]})
    assert.are.same({all[2]}, wanted)
    assert.are.equal("previous", source)
  end)

  it("are nobody where nobody can be the leader", function()
    local wanted, source = select.wanted(service({leader_election = true}),
      {made("a:1"), made("b:1")}, {})
    assert.are.same({}, wanted)
    assert.are.equal("nobody", source)
  end)
end)
