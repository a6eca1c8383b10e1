local named_server = require("synapse.instances.named_server")

describe("a default server that has a name", function()
  local named, service

  before_each(function()
    named = {hosts = "db.example:1", place = "services.web.default_servers[0]",
      fields = {name = "db", port = 80, weight = 3}}
    service = {default_servers = {{key = "10.0.0.9:80"}}}
  end)

  local function keys()
    local list = {}
    for i, server in ipairs(service.default_servers) do
      list[i] = server.key
    end
    return table.concat(list, " ")
  end

  local function place(addresses)
    return named_server.place(named, service, addresses)
  end

  it("is left out while it has no address", function()
    assert.is_false(place(nil))
    assert.are.equal("10.0.0.9:80", keys())
  end)

  it("is put behind the others, with what the configuration says of it",
    function()
      assert.is_true(place("10.0.0.1:1"))
      assert.are.equal("10.0.0.9:80 10.0.0.1:80", keys())
      assert.are.equal(3, service.default_servers[2].weight)
      assert.are.equal("db", service.default_servers[2].name)
      assert.is_nil(named.fields.host)
    end)

  it("has the least of its addresses, IPv4 before IPv6", function()
    place("[::1]:1,10.0.0.3:1,[fd00::2]:1,10.0.0.2:1")
    assert.are.equal("10.0.0.9:80 10.0.0.2:80", keys())
    place("[fd00::2]:1,[fd00::1]:1")
    assert.are.equal("10.0.0.9:80 [fd00::1]:80", keys())
  end)

  it("is another one where its address is, and changes nothing else",
    function()
      place("10.0.0.1:1")
      local before = service.default_servers
      assert.is_false(place("10.0.0.1:1"))
      assert.are.equal(before, service.default_servers)
      assert.is_true(place("10.0.0.2:1"))
      assert.are.equal("10.0.0.9:80 10.0.0.2:80", keys())
      assert.are.equal(2, #before)
    end)

  it("is refused at an address that no server can have", function()
    local changed, why = place("0.0.0.0:1")
    assert.is_false(changed)
    assert.is_truthy(why:find("^db.example: "))
    assert.are.equal("10.0.0.9:80", keys())
  end)
end)
