local keys = require("synapse.config.keys")

describe("the keys of an object", function()
  it("are sorted by what becomes of them", function()
    local sorted = keys.sort({
      s3_url = "https://x/", method = "union", zebra = 1, apple = 2,
      s3_polling_interval_seconds = 5,
    }, keys.RESOLVER)
    assert.are.same({"apple", "zebra"}, sorted.unknown)
    assert.are.same({"s3_polling_interval_seconds"}, sorted.not_needed)
    assert.are.equal("s3_url", sorted.refused[1][1])
  end)

  it("do no harm when a refused one asks for nothing", function()
    local sorted = keys.sort({s3_url = false}, keys.RESOLVER)
    assert.are.same({}, sorted.refused)
    assert.are.same({"s3_url"}, sorted.not_needed)
    sorted = keys.sort({s3_url = {}}, keys.RESOLVER)
    assert.are.same({}, sorted.refused)
  end)

  it("are used quietly when they are used", function()
    assert.are.same({not_needed = {}, unknown = {}, refused = {}},
      keys.sort({method = "zookeeper", hosts = {}, path = "/"},
        keys.DISCOVERY))
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
  for _, of in pairs(keys) do
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
    for method in pairs(keys.METHODS) do
      assert.is_truthy(text:find("`" .. method:gsub("_poll$", "") .. "`", 1,
        true), method)
    end
  end)
end)
