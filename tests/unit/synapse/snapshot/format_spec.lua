local snapshot = require("synapse.snapshot.format")
local encode = dofile("tests/fake/snapshot.lua")

local checksum = encode.checksum

local function record()
  return {
    name = "web", path = "/web", read_as = "nerve",
    instances = {
      {key = "10.0.0.1:80", host = "10.0.0.1", port = 80, weight = 7,
        name = "i-1", znode = "i-1_0000000003", sequence = 3,
        labels = {az = "a"}, origin = "zk1:2181\n/web"},
      {key = "[::1]:81", host = "::1", port = 81},
      {key = "a.b:80", host = "a.b", port = 80, is_name = true},
    },
    placed = {s4 = "10.0.0.1:80", s2 = "[::1]:81"},
    states = {["[::1]:81"] = "drain"}, boot = "a-boot",
    orders = {["[::1]:81"] = {reason = "disk", since = 7, till = 9.5,
      ends = 3.5}},
    retained = {["10.0.0.1:80"] = 1234.5},
    addresses = {["a.b:80"] = "10.0.0.9"},
    departed = {["10.0.0.7:80"] = {state = "maint", till = 99.5,
      order = {since = 7}}},
    failing = {["[::1]:81"] = true},
    since = {["10.0.0.1:80"] = 1234},
  }
end

local function text()
  return encode.whole({encode.service(record())}, checksum)
end

describe("a snapshot", function()
  -- A service of 5,000 instances was encoded in one go: 10 ms and more, for
  -- which HAProxy's thread did nothing else.
  it("is encoded in slices, and is the same", function()
    local large = record()
    for i = 1, 1000 do
      table.insert(large.instances,
        {key = "10.1.0.1:" .. i, host = "10.1.0.1", port = i})
    end
    local part, calls, asked = snapshot.begin_service(large), 1, 0
    local function is_tired()
      asked = asked + 1
      return asked % 2 == 0
    end
    local encoded = snapshot.continue_service(part, is_tired)
    while not encoded do
      calls = calls + 1
      encoded = snapshot.continue_service(part, is_tired)
    end
    assert.is_true(calls >= 10)
    assert.are.equal(encode.service(large), encoded)
    local records = snapshot.decode(encode.whole({encoded}, checksum),
      checksum)
    assert.are.equal(#large.instances, #records.web.instances)
  end)

  it("has the last known addresses, as far as they are some", function()
    local known = {["zk:1"] = "10.0.0.1:1,[::1]:2", ["a:1"] = "here:1",
      ["b:1"] = "10.0.0.1:99999", ["c:1"] = "10.0.0.1:1,", ["d:1"] = 7}
    local _, _, addresses =
      snapshot.decode(encode.whole({}, checksum, known), checksum)
    assert.are.same({["zk:1"] = "10.0.0.1:1,[::1]:2"}, addresses)
  end)

  it("has the blank backend of a service", function()
    local served = record()
    served.blank = "spare-web-1"
    local records = snapshot.decode(
      encode.whole({encode.service(served)}, checksum), checksum)
    assert.are.equal("spare-web-1", records.web.blank)
  end)

  it("has the port of a service that was found, or that it has none", function()
    for _, port in ipairs({false, 1, 65535}) do
      local served = record()
      served.found = {port = port}
      assert.are.same({port = port}, snapshot.decode(
        encode.whole({encode.service(served)}, checksum), checksum).web.found)
    end
    for _, port in ipairs({0, 65536, 1.5, "80", true}) do
      local served = record()
      served.found = {port = port}
      assert.are.same({}, snapshot.decode(
        encode.whole({encode.service(served)}, checksum), checksum).web.found)
    end
  end)

  it("comes back as it was", function()
    local records = snapshot.decode(text(), checksum)
    assert.are.same({web = record()}, records)
  end)

  -- HAProxy is upgraded, and its Lua with it: the next worker reads what the
  -- last one wrote, and the other way where the upgrade is taken back.
  for _, written_by in ipairs({"haproxy-2.6-lua-5.3", "haproxy-3.0-lua-5.4"}) do
    it("of " .. written_by .. " is read by this Lua", function()
      local file = assert(io.open("tests/data/snapshot/" .. written_by))
      local content = file:read("a")
      file:close()
      local written = record()
      -- It was written before there were orders.
      written.orders, written.boot = {}, nil
      written.departed["10.0.0.7:80"].order = nil
      assert.are.same({web = written},
        snapshot.decode(content, require("zookeeper").checksum))
    end)
  end

  it("has the last hour of a service, where there is any", function()
    local function history_of(history)
      local whole = snapshot.begin(checksum)
      snapshot.add(whole, encode.service(record()), history)
      return snapshot.decode(snapshot.finish(whole), checksum).web.history
    end
    assert.are.equal("7 1 1 0 0", history_of("7 1 1 0 0"))
    assert.are.equal("", history_of(""))
    assert.is_nil(history_of(nil))
    assert.is_nil(history_of(("1 "):rep(5001)))
  end)

  it("without services comes back", function()
    assert.are.same({},
      snapshot.decode(encode.whole({}, checksum), checksum))
  end)

  it("cut anywhere is damaged or foreign, never read", function()
    local whole = text()
    for length = 0, #whole - 1 do
      local records, why = snapshot.decode(whole:sub(1, length), checksum)
      assert.is_nil(records)
      assert.is_true(why == "damaged" or why == "foreign")
    end
  end)

  it("with one letter changed is not read", function()
    local whole = text():gsub("10%.0%.0%.1", "10.0.0.2", 1)
    assert.are.same({nil, "damaged"}, {snapshot.decode(whole, checksum)})
  end)

  it("of another version is told apart", function()
    local whole = text():gsub("^myelin%-snapshot 1", "myelin-snapshot 2")
    assert.are.same({nil, "version"}, {snapshot.decode(whole, checksum)})
  end)

  it("that a Ruby synapse wrote is foreign", function()
    assert.are.same({nil, "foreign"}, {snapshot.decode(
      '{\n  "web": {"a_10.0.0.1:80": {"timestamp": 1}}\n}', checksum)})
  end)

  it("that is empty is damaged", function()
    assert.are.same({nil, "damaged"}, {snapshot.decode("", checksum)})
  end)

  it("passes the checks of a znode, instance by instance", function()
    local one = record()
    one.instances[1].host = "0.0.0.0;show stat"
    one.instances[2].weight = -1
    one.addresses["a.b:80"] = "169.254.1.1;"
    local records = snapshot.decode(
      encode.whole({encode.service(one)}, checksum), checksum)
    assert.are.equal(2, #records.web.instances)
    assert.are.same({}, records.web.addresses)
    assert.is_nil(records.web.instances[1].weight)
  end)

  it("leaves out a service whose path is none", function()
    for _, path in ipairs({"null", "7", "[]", "{}"}) do
      local body = '{"services":[{"name":"web","path":' .. path ..
        ',"instances":[]}]}'
      local whole = string.format("myelin-snapshot 1 %s %d\n%s",
        checksum(body), #body, body)
      assert.are.same({}, snapshot.decode(whole, checksum))
    end
  end)

  local odd = {"[]", "{}", '{"services":1}', '{"services":[1,{},{"name":1}]}',
    '{"services":[{"name":"web","instances":[1,[],{"host":1}]}]}'}
  for _, body in ipairs(odd) do
    it("of the right checksum and the wrong shape does no harm: " .. body,
      function()
        local whole = string.format("myelin-snapshot 1 %s %d\n%s",
          checksum(body), #body, body)
        local records = snapshot.decode(whole, checksum) or {}
        assert.are.same({},
          records.web and records.web.instances or {})
      end)
  end
end)
