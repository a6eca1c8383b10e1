local nearest = require("synapse.config.nearest")

describe("the distance of two words", function()
  local function distance(a, b)
    assert.are.equal(nearest.distance(a, b), nearest.distance(b, a))
    return nearest.distance(a, b)
  end

  it("is what has to be done to one to make the other", function()
    assert.are.equal(0, distance("hosts", "hosts"))
    assert.are.equal(1, distance("hosts", "host"))
    assert.are.equal(1, distance("hosts", "hasts"))
    assert.are.equal(1, distance("hosts", "hsots"))
    assert.are.equal(5, distance("hosts", ""))
    assert.are.equal(3, distance("kitten", "sitting"))
  end)

  it("is large for what is too long to be a key", function()
    assert.are.equal(64, distance(("x"):rep(65), "x"))
  end)
end)

describe("the word that was meant", function()
  local sets = {{hosts = true, path = true}, {backend = true, port = true}}

  it("is the nearest of all sets", function()
    assert.are.equal("hosts", nearest.find("host", sets))
    assert.are.equal("backend", nearest.find("bakcend", sets))
  end)

  it("is none where too much would be wrong", function()
    assert.is_nil(nearest.find("colour", sets))
    assert.is_nil(nearest.find("xy", sets))
  end)

  it("is the first by name where two are as near", function()
    assert.are.equal("path", nearest.find("pat", {{pats = true, path = true}}))
  end)
end)
