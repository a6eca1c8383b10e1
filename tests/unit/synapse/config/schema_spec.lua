local schema = require("synapse.config.schema")

describe("the keys of an object", function()
  it("are sorted by what becomes of them", function()
    local sorted = schema.sort({
      s3_url = "https://x/", method = "union", zebra = 1, apple = 2,
      fig = 3, melon = 4, kiwi = 5, lemon = 6,
      s3_polling_interval_seconds = 5,
    }, schema.RESOLVER)
    assert.are.same({"apple", "fig", "kiwi", "lemon", "melon", "zebra"},
      sorted.unknown)
    assert.are.same({"s3_polling_interval_seconds"}, sorted.ignored)
    assert.are.equal("s3_url", sorted.rejected[1][1])
  end)

  it("do no harm when a rejected one asks for nothing", function()
    local sorted = schema.sort({s3_url = false}, schema.RESOLVER)
    assert.are.same({}, sorted.rejected)
    assert.are.same({"s3_url"}, sorted.ignored)
    sorted = schema.sort({s3_url = {}}, schema.RESOLVER)
    assert.are.same({}, sorted.rejected)
  end)

  it("are used quietly when they are supported", function()
    assert.are.same({ignored = {}, unknown = {}, rejected = {}},
      schema.sort({method = "zookeeper", hosts = {}, path = "/"},
        schema.DISCOVERY))
  end)
end)

describe("the reference", function()
  it("has the table of every key that `make keys` writes", function()
    local file = assert(io.open("lua/README.md"))
    local text = file:read("a")
    file:close()
    local shown = text:match("<!%-%- keys %-%->\n\n(.-)\n<!%-%- end of keys")
    assert.are.equal(schema.markdown(), shown)
  end)

  it("says what to do instead of each method that is rejected", function()
    local row = schema.DISCOVERY.by_key.method
    for method in pairs(row.rejected) do
      assert.is_truthy(row.text:find("`" .. method:gsub("_poll$", "") .. "`",
        1, true), method)
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
    assert.are.equal(1, distance("hhosts", "hosts"))
    assert.are.equal(2, distance("ab", "ca"))
    assert.are.equal(2, distance("ab", "bc"))
  end)

  it("is large for what is too long to be a key", function()
    assert.are.equal(0, distance(("x"):rep(64), ("x"):rep(64)))
    assert.are.equal(64, distance(("x"):rep(80), "x"))
  end)
end)

describe("the word that was meant", function()

  it("is the nearest of all keys", function()
    assert.are.equal("hosts", schema.nearest("host", schema.DISCOVERY))
    assert.are.equal("backend",
      schema.nearest("bakcend", schema.SERVICE_HAPROXY))
  end)

  it("is none where too much would be wrong", function()
    assert.is_nil(schema.nearest("colour", schema.DISCOVERY))
    assert.is_nil(schema.nearest("xy", schema.DISCOVERY))
  end)

  it("has at most a third of its letters wrong", function()
    local keys = {by_key = {abcdef = {support = "supported"}}}
    assert.are.equal("abcdef", schema.nearest("abcdxy", keys))
    assert.is_nil(schema.nearest("abcxyz", keys))
  end)

  it("is the first by name where two are as near", function()
    assert.are.equal("path", schema.nearest("pat", {by_key = {
      pats = {support = "supported"}, path = {support = "supported"}}}))
  end)

  it("is a key that does something", function()
    assert.is_nil(schema.nearest("statsdd", schema.TOP))
  end)
end)
