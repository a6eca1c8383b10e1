local keys = require("synapse.keys")

describe("the keys of an object", function()
  it("are sorted by what becomes of them", function()
    local sorted = keys.sort({
      leader_election = true, discovery = {}, file_output = {}, zebra = 1,
      apple = 2,
    }, keys.SERVICE)
    assert.are.same({"apple", "zebra"}, sorted.unknown)
    assert.are.same({"file_output"}, sorted.not_needed)
    assert.are.equal("leader_election", sorted.refused[1][1])
  end)

  it("do no harm when a refused one asks for nothing", function()
    local sorted = keys.sort({leader_election = false}, keys.SERVICE)
    assert.are.same({}, sorted.refused)
    assert.are.same({"leader_election"}, sorted.not_needed)
    sorted = keys.sort({label_filters = {}}, keys.DISCOVERY)
    assert.are.same({}, sorted.refused)
  end)

  it("are used quietly when they are used", function()
    assert.are.same({not_needed = {}, unknown = {}, refused = {}},
      keys.sort({method = "zookeeper", hosts = {}, path = "/"},
        keys.DISCOVERY))
  end)
end)
