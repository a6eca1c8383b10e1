local multi = require("synapse.instances.multi")

local function made(key, sequence)
  return {key = key, sequence = sequence}
end

local A, B, C = made("a:1", 1), made("b:1", 1), made("c:1", 1)

describe("several sources", function()
  it("together have what any of them has, sorted", function()
    assert.are.same({A, B, C}, multi.resolve("union", {{C}, {A, B}}))
  end)

  it("together have each host:port once, as its newest znode says", function()
    local newer = made("a:1", 9)
    assert.are.same({newer, B}, multi.resolve("union", {{A, B}, {newer}}))
  end)

  it("in a sequence are used one after the other", function()
    assert.are.same({A}, multi.resolve("sequential", {{A}, {B}}))
    assert.are.same({B}, multi.resolve("sequential", {{}, {B}, {C}}))
    assert.are.same({}, multi.resolve("sequential", {{}, {}}))
  end)

  it("have two resolvers", function()
    assert.is_true(multi.has("union"))
    assert.is_true(multi.has("sequential"))
    assert.is_false(multi.has("s3_toggle"))
  end)
end)

describe("one source", function()
  it("is used as it is", function()
    local list = {A, B}
    assert.are.equal(list, multi.resolve(nil, {list}))
  end)
end)
