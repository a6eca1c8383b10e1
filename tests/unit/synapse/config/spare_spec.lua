local spare = require("synapse.config.spare")
local value = require("synapse.config.value")

-- What is refused is in tests/data/config/synapse_invalid.json.
describe("a kind of blank backends", function()
  local function read(given)
    local report = value.report()
    local kinds = spare.read(report, {web = given},
      {bind_address = "localhost"})
    assert.are.same({}, report.errors)
    return kinds[1]
  end

  local function addresses(ports)
    local list = {}
    for i, listener in ipairs(read({backends = 1, ports = ports}).binds) do
      list[i] = listener.text
    end
    return list
  end

  it("listens on one port, or on each of a range", function()
    assert.are.same({"127.0.0.1:1"}, addresses(1))
    assert.are.same({"127.0.0.1:65534", "127.0.0.1:65535"},
      addresses("65534-65535"))
    assert.are.equal(1000, #addresses("4000-4999"))
  end)

  it("has its name, and those of its backends, for itself", function()
    for _, case in ipairs({{"spare-web", "web", true},
      {"web", "spare-web", true}, {"web", "spare-web-1", true},
      {"spare-web-1", "web", false}, {"spare-webs", "spare-webs", false}})
    do
      local report = value.report()
      spare.check_names(report, {read({backends = 1, ports = 4000})},
        {{name = case[1], backend = case[2], place = "services.x"}})
      assert.are.same(case[3] and {"services.x: its name, or that of its " ..
        "backend, is one of haproxy.spare.web; give one of the two another " ..
        "name"} or {}, report.errors)
    end
  end)
end)
