local difference = require("synapse.service.difference")

describe("what differs of an instance", function()
  local instance, wanted, actual

  before_each(function()
    instance = {key = "10.0.0.1:80", host = "10.0.0.1", port = 80, weight = 7,
      znode = "i_1"}
    wanted = {host = "10.0.0.1", port = 80, weight = 7, maxconn = 0,
      admin = "ready"}
    actual = {host = "10.0.0.1", port = 80, weight = 7, maxconn = 0,
      admin = "ready", check = "passes"}
  end)

  local function rows(is_retained)
    local list = {}
    for i, row in ipairs(difference.of(instance, wanted, actual, is_retained) or
      {})
    do
      list[i] = string.format("%s: %s, %s, %s", row.what, row.zookeeper,
        row.wanted, row.actual)
    end
    return list
  end

  it("is nothing where all is the same", function()
    assert.is_nil(difference.of(instance, wanted, actual, false))
    instance.weight = nil
    assert.are.same({}, rows(false))
  end)

  it("is where it is", function()
    actual.host, actual.port = "::1", 81
    assert.are.same({"address: 10.0.0.1:80, 10.0.0.1:80, [::1]:81"},
      rows(false))
  end)

  it("is its name, and not the address that HAProxy has resolved", function()
    instance.key, instance.host, instance.is_name = "a.b:80", "a.b", true
    wanted.fqdn, wanted.host, actual.fqdn = "a.b", nil, "a.b"
    assert.are.same({}, rows(false))
    actual.fqdn = nil
    assert.are.same({"address: a.b:80, a.b:80, 10.0.0.1:80"}, rows(false))
  end)

  it("is a weight that the configuration does not follow, or HAProxy not yet",
    function()
      wanted.weight, actual.weight = 1, 1
      assert.are.same({"weight: 7, 1, 1"}, rows(false))
      instance.weight = nil
      assert.are.same({}, rows(false))
      actual.weight = 3
      assert.are.same({"weight: nil, 1, 3"}, rows(false))
      wanted.weight, wanted.maxconn, actual.maxconn = 3, 5, nil
      assert.are.same({"maxconn: nil, 5, nil"}, rows(false))
    end)

  it("is its state: of the znode, of operators, and of HAProxy's check",
    function()
      assert.are.same({"state: gone, ready, ready"}, rows(true))
      actual.check = "fails"
      assert.are.same({"state: registered, ready, ready, its check fails"},
        rows(false))
      wanted.admin, actual.admin, actual.check = "maint", "maint", nil
      assert.are.same({"state: registered, maint, maint"}, rows(false))
      instance.znode, wanted.admin = nil, "ready"
      assert.are.same({"state: not registered, ready, maint"}, rows(false))
    end)

  it("is an address that HAProxy refuses", function()
    wanted, actual.host, actual.admin = nil, "10.0.0.9", "maint"
    assert.are.same({"address: 10.0.0.1:80, nil, 10.0.0.9:80",
      "state: registered, maint, maint"}, rows(false))
  end)
end)
