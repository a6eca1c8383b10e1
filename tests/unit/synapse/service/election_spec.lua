local election = require("synapse.service.election")

local function made(key, sequence)
  return {key = key, sequence = sequence}
end

describe("the leader", function()
  it("is the instance with the smallest sequence", function()
    local first = made("c:1", 2)
    assert.are.same({first},
      election.leader({made("a:1", 10), made("b:1", 3), first}))
  end)

  it("is never one without a sequence", function()
    local second = made("b:1", 7)
    assert.are.same({second}, election.leader({made("a:1"), second}))
    assert.are.same({}, election.leader({made("a:1"), made("b:1")}))
  end)

  it("is the first by key where two sources have the same sequence", function()
    local first = made("a:1", 1)
    assert.are.same({first}, election.leader({made("b:1", 1), first}))
  end)

  it("is nobody among nobody", function()
    assert.are.same({}, election.leader({}))
  end)
end)
