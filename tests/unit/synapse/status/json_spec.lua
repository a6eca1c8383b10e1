local cjson = require("cjson")
local document = require("synapse.status.json")
local histogram = require("synapse.status.histogram")

describe("a document", function()
  it("has lists that are lists when they are empty", function()
    assert.are.equal("[]", document.list({}))
    assert.are.equal('["a",1]', document.list({"a", 1}))
  end)

  it("is UTF-8 whatever a znode held", function()
    for bytes, shown in pairs({
      ["\xff"] = "\\\\xff", ["\xed\xa0\x80"] = "\\\\xed\\\\xa0\\\\x80",
      ["\xf4\x90\x80\x80"] = "\\\\xf4\\\\x90\\\\x80\\\\x80",
      ["\xc3\xa4"] = "\xc3\xa4", ["</script>"] = "<\\/script>",
      ["\0\n"] = "\\u0000\\n",
    }) do
      assert.are.equal('{"a":"' .. shown .. '"}', document.object({a = bytes}))
    end
  end)

  it("shows a service with its lists and counts", function()
    local text = document.service({
      service = {name = "web", backend = "www", choice = {source = "zookeeper"},
        deps = {config = {}}},
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
    local took = histogram.new({1})
    took:add(0.0012345)
    assert.are.same({count = 1, p50_ms = 1.23, p99_ms = 1.23,
      recent_ms = {1.23}}, cjson.decode(document.convergence(took)))
    assert.are.same({count = 0, recent_ms = {}},
      cjson.decode(document.convergence(histogram.new({1}))))
  end)
end)
