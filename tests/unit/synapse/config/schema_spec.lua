local schema = require("synapse.config.schema")

describe("the keys of an object", function()
  it("are sorted by what becomes of them", function()
    local sorted = schema.sort({
      s3_url = "https://x/", method = "union", zebra = 1, apple = 2,
      s3_polling_interval_seconds = 5,
    }, schema.RESOLVER)
    assert.are.same({"apple", "zebra"}, sorted.unknown)
    assert.are.same({"s3_polling_interval_seconds"}, sorted.not_needed)
    assert.are.equal("s3_url", sorted.refused[1][1])
  end)

  it("do no harm when a refused one asks for nothing", function()
    local sorted = schema.sort({s3_url = false}, schema.RESOLVER)
    assert.are.same({}, sorted.refused)
    assert.are.same({"s3_url"}, sorted.not_needed)
    sorted = schema.sort({s3_url = {}}, schema.RESOLVER)
    assert.are.same({}, sorted.refused)
  end)

  it("are used quietly when they are used", function()
    assert.are.same({not_needed = {}, unknown = {}, refused = {}},
      schema.sort({method = "zookeeper", hosts = {}, path = "/"},
        schema.DISCOVERY))
  end)
end)

-- The rows of lua/README.md: place -> key -> fate.
local function told()
  local found = {}
  local file = assert(io.open("lua/README.md"))
  for line in file:lines() do
    local place, names, fate =
      line:match("^| ([^|]+) | ([^|]+) | (%l[%l ]*) |")
    place = place and (place == "the file" and "" or place:match("^`(.*)`$"))
    for name in (place and names or ""):gmatch("`([%w_]+)`") do
      found[place] = found[place] or {}
      assert(not found[place][name], name .. " is told twice")
      found[place][name] = fate
    end
  end
  file:close()
  return found
end

-- What is done, in the same form.
local function done()
  local found = {}
  for _, of in pairs(schema) do
    if type(of) == "table" and of.place then
      found[of.place] = {}
      for fate, set in pairs({used = of.used, differs = of.differs,
        ["not needed"] = of.not_needed, refused = of.refused})
      do
        for name in pairs(set) do
          found[of.place][name] = fate
        end
      end
    end
  end
  return found
end

describe("the reference", function()
  it("tells the fate of every key", function()
    assert.are.same(done(), told())
  end)

  it("says what to do instead of each method that is refused", function()
    local file = assert(io.open("lua/README.md"))
    local text = file:read("a")
    file:close()
    for method in pairs(schema.METHODS) do
      assert.is_truthy(text:find("`" .. method:gsub("_poll$", "") .. "`", 1,
        true), method)
    end
  end)
end)

describe("the distance of two words", function()
  local function distance(a, b)
    assert.are.equal(schema.distance(a, b), schema.distance(b, a))
    return schema.distance(a, b)
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
    assert.are.equal("hosts", schema.nearest("host", sets))
    assert.are.equal("backend", schema.nearest("bakcend", sets))
  end)

  it("is none where too much would be wrong", function()
    assert.is_nil(schema.nearest("colour", sets))
    assert.is_nil(schema.nearest("xy", sets))
  end)

  it("is the first by name where two are as near", function()
    assert.are.equal("path",
      schema.nearest("pat", {{pats = true, path = true}}))
  end)
end)
