local cjson = require("cjson")
local journal = require("synapse.status.journal")
local json = require("synapse.status.json")

describe("a document", function()
  it("has lists that are lists when they are empty", function()
    assert.are.equal("[]", json.list({}))
    assert.are.equal('["a",1]', json.list({"a", 1}))
  end)

  it("is UTF-8 whatever a znode held", function()
    for bytes, shown in pairs({
      ["\xff"] = "\\\\xff", ["\xed\xa0\x80"] = "\\\\xed\\\\xa0\\\\x80",
      ["\xf4\x90\x80\x80"] = "\\\\xf4\\\\x90\\\\x80\\\\x80",
      ["\xc3\xa4"] = "\xc3\xa4", ["</script>"] = "<\\/script>",
      ["\0\n"] = "\\u0000\\n",
    }) do
      assert.are.equal('{"a":"' .. shown .. '"}', json.object({a = bytes}))
    end
  end)

  it("escapes a text that is not UTF-8, and no other beside it", function()
    assert.are.same({good = "\xc3\xa4", bad = "\\xff", list = {"\xc3\xa4", 1}},
      cjson.decode(json.object({good = "\xc3\xa4", bad = "\xff",
        list = {"\xc3\xa4", 1}})))
  end)

  it("gives other work its turn at each element", function()
    local turns = 0
    json.list({1, 2, 3}, tostring, function() turns = turns + 1 end)
    assert.are.equal(3, turns)
  end)

  it("shows a service with its lists and counts", function()
    local text = json.service({
      name = "web", backend = "www", source = "zookeeper",
      state = "whole", reasons = {},
      paths = {{hosts = "zk:2181", path = "/web", state = "read"}},
      slots = 8, used = 1, number = 1, counts = {ready = 1},
      instances = {{key = "10.0.0.1:80", state = "ready", slot = "s3"}},
    }, function() end)
    assert.are.same({
      service = "web", backend = "www", source = "zookeeper",
      state = "whole", reasons = {}, number = 1,
      paths = {{hosts = "zk:2181", path = "/web", state = "read"}},
      slots = {all = 8, used = 1}, counts = {ready = 1},
      instances = {{instance = "10.0.0.1:80", state = "ready", slot = "s3"}},
    }, cjson.decode(text))
  end)

  it("tells of convergence in milliseconds", function()
    local took = journal.histogram({1})
    took:add(0.0012345)
    assert.are.same({count = 1, p50_ms = 1.23, p99_ms = 1.23,
      recent_ms = {1.23}}, cjson.decode(json.convergence(took)))
    assert.are.same({count = 0, recent_ms = {}},
      cjson.decode(json.convergence(journal.histogram({1}))))
  end)
end)
