local encoder = require("synapse.snapshot.encoder")
local format = require("synapse.snapshot.format")
local checksum = dofile("tests/fake/snapshot.lua").checksum

local function new_service(name)
  local service = {name = name, revision = 1, records = 0}
  function service:record()
    self.records = self.records + 1
    return {name = name, path = "/" .. name, instances = {}, placed = {},
      states = {}, retained = {}, addresses = {}, departed = {},
      failing = {}, since = {}, orders = {}}
  end
  return service
end

describe("an encoder", function()
  local services, is_tired, one

  before_each(function()
    services, is_tired = {new_service("api"), new_service("web")}, false
    one = encoder.new({
      services = services, checksum = checksum,
      addresses = function() return {} end,
      history = function(name) return name == "web" and "15 3 3 9 9" end,
      is_tired = function() return is_tired end,
    })
  end)

  it("puts all services into the snapshot, with their last hour", function()
    local text = one:encode()
    local records = format.decode(text, checksum)
    assert.are.equal("/api", records.api.path)
    assert.are.equal("15 3 3 9 9", records.web.history)
  end)

  it("goes on where it stopped, and gives the same text", function()
    local whole = one:encode()
    is_tired = true
    assert.is_nil(one:encode())
    assert.is_nil(one:encode())
    assert.are.equal(whole, one:encode())
  end)

  it("encodes a service again only when it has changed", function()
    one:encode()
    services[2].revision = 2
    one:encode()
    assert.are.same({1, 2}, {services[1].records, services[2].records})
  end)

  it("starts again when the list of services has changed", function()
    is_tired = true
    assert.is_nil(one:encode())
    table.remove(services, 1)
    one:restart()
    is_tired = false
    local records = format.decode(one:encode(), checksum)
    assert.is_nil(records.api)
    assert.are.equal("/web", records.web.path)
  end)

  it("keeps nothing of a service that is gone", function()
    one:encode()
    one:forget(services[1])
    one:encode()
    assert.are.same({2, 1}, {services[1].records, services[2].records})
  end)
end)
