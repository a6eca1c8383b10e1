local lookup = require("synapse.zookeeper.lookup")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")
local new_source = dofile("tests/fake/source.lua")

local ZK = "zk1:2181,zk2:2181"

describe("what the configuration names", function()
  local clock, log, made, asked, moved, filled, services

  local function service(hosts, servers)
    local named = {}
    for i, name in ipairs(servers or {}) do
      named[i] = {hosts = name .. ":1", place = "services.web",
        fields = {host = "127.0.0.1", port = 80 + i}}
    end
    return {sources = {hosts and new_source("/web", hosts)},
      default_servers = {}, named_servers = named}
  end

  -- `found` and `missing` are what libc says at load.
  local function load(list, found, missing, known)
    services = list
    made = lookup.new(list, log)
    local names
    made:at_load({
      resolve_all = function(all, seconds)
        assert.are.equal(5, seconds)
        names = all
        return found or {}, missing or {}
      end,
      resolve = function(hosts) return (hosts:gsub("kept ", "")) end,
    }, known or {})
    return names
  end

  local function run(can_ask)
    made:begin({
      ask = function(hosts)
        table.insert(asked, clock.now() .. " " .. hosts)
        if can_ask == false then
          return nil, "no thread"
        end
        return #asked
      end,
      moved = function(hosts, addresses)
        table.insert(moved, hosts .. " " .. addresses)
      end,
      filled = function(one) table.insert(filled, one) end,
      now = clock.now, random = function() return 0 end,
    })
  end

  local function pass(seconds)
    for _ = 1, seconds do
      clock.pass(1)
      made:tick()
    end
  end

  local function answer(addresses, missing)
    made:take({request = #asked, addresses = addresses, missing = missing})
  end

  local function keys(one)
    local list = {}
    for i, server in ipairs(one.default_servers) do
      list[i] = server.key
    end
    return list
  end

  before_each(function()
    clock, log, asked, moved, filled = new_clock(), new_log(), {}, {}, {}
    clock.pass(1000)
  end)

  it("is looked up at load all at once, each name once", function()
    assert.are.same({ZK, "spare:1"}, load({service(ZK, {"spare", "spare"}),
      service(ZK)}, {[ZK] = "10.0.0.1:2181", ["spare:1"] = "10.0.0.9:1"}))
    assert.are.equal("10.0.0.1:2181", made:addresses(ZK))
    assert.are.same({"10.0.0.9:81", "10.0.0.9:82"}, keys(services[1]))
  end)

  it("is not looked up where it is an address, ever", function()
    local hosts = "10.0.0.1:2181,[::1]:2181"
    assert.is_nil(load({service(hosts)}))
    assert.are.equal(hosts, made:addresses(hosts))
    assert.are.same({}, made:known())
    run()
    made:lost(hosts)
    pass(200)
    assert.are.same({}, asked)
  end)

  it("has several addresses: a default server takes the first, IPv4 before",
    function()
      load({service(nil, {"spare"})},
        {["spare:1"] = "[2001:db8::1]:1,93.0.0.9:1,93.0.0.8:1,[::1]:1"})
      assert.are.same({"93.0.0.8:81"}, keys(services[1]))
    end)

  it("has the addresses of the last run where nobody answers", function()
    load({service(ZK, {"spare"})}, {}, {[ZK] = "no answer within 5 s",
      ["spare:1"] = "no answer within 5 s"},
      {[ZK] = "kept 10.0.0.1:2181", ["spare:1"] = "kept 10.0.0.9:1"})
    assert.are.equal("10.0.0.1:2181", made:addresses(ZK))
    assert.are.same({"10.0.0.9:81"}, keys(services[1]))
    assert.are.equal(1, log.count("warning: " .. ZK ..
      ": no answer within 5 s; the last known addresses are used"))
    assert.are.same({[ZK] = "10.0.0.1:2181", ["spare:1"] = "10.0.0.9:1"},
      made:known())
  end)

  it("has no address at the first start without DNS, and that is told",
    function()
      load({service(ZK, {"spare"})}, {}, {[ZK] = "x", ["spare:1"] = "y"})
      assert.is_nil(made:addresses(ZK))
      assert.are.same({}, keys(services[1]))
      assert.are.equal(1, log.count("warning: " .. ZK ..
        ": x; asked for until it is found"))
      assert.are.equal(1, log.count(
        "warning: spare:1: y; left out until it is found"))
    end)

  it("where only some names are known these are used", function()
    load({service(ZK)}, {[ZK] = "10.0.0.1:2181"}, {[ZK] = "zk2: nobody"})
    assert.are.equal("10.0.0.1:2181", made:addresses(ZK))
    assert.are.equal("zk2: nobody", made:missing(ZK))
    assert.are.equal(1, log.count("warning: " .. ZK ..
      ": zk2: nobody; the others are used"))
  end)

  it("says later too which addresses are used", function()
    load({service(ZK)}, {}, {[ZK] = "zk1: nobody, zk2: nobody"})
    run()
    pass(1)
    answer("10.0.0.1:2181", "zk2: nobody")
    assert.are.equal(1, log.count("warning: " .. ZK ..
      ": zk2: nobody; the others are used"))
    pass(2)
    answer(nil, "no answer")
    assert.are.equal(1, log.count("warning: " .. ZK ..
      ": no answer; the last known addresses are used"))
  end)

  it("is asked for later and later while a name is missing, then found",
    function()
      load({service(ZK)}, {[ZK] = "10.0.0.1:2181"}, {[ZK] = "zk2: nobody"})
      run()
      for _, wait in ipairs({1, 2, 4, 8, 16, 30, 30}) do
        pass(wait - 1)
        local before = #asked
        pass(1)
        assert.are.equal(before + 1, #asked)
        answer("10.0.0.1:2181", "zk2: nobody")
      end
      assert.are.equal(1, log.count("zk2: nobody"))
      pass(30)
      answer("10.0.0.2:2181,10.0.0.1:2181")
      assert.are.same({ZK .. " 10.0.0.2:2181,10.0.0.1:2181"}, moved)
      assert.is_nil(made:missing(ZK))
      assert.are.equal(1, log.count("info: " .. ZK .. ": found: "))
    end)

  it("is asked for each minute, and the same servers are no news", function()
    load({service(ZK)}, {[ZK] = "10.0.0.1:2181,10.0.0.2:2181"})
    run()
    pass(59)
    assert.are.equal(0, #asked)
    pass(1)
    answer("10.0.0.2:2181,10.0.0.1:2181")
    pass(60)
    assert.are.equal(2, #asked)
    assert.are.same({}, moved)
    assert.are.equal("10.0.0.1:2181,10.0.0.2:2181", made:addresses(ZK))
  end)

  it("is asked for at once when the ensemble is lost, and then every 10 s",
    function()
      load({service(ZK)}, {[ZK] = "10.0.0.1:2181"})
      run()
      made:lost(ZK)
      pass(1)
      assert.are.equal(1, #asked)
      made:lost(ZK)
      pass(5)
      assert.are.equal(1, #asked)
      answer("10.0.0.1:2181")
      made:lost(ZK)
      pass(1)
      assert.are.equal(2, #asked)
      answer("10.0.0.1:2181")
      pass(10)
      assert.are.equal(3, #asked)
      made:reached(ZK)
      answer("10.0.0.1:2181")
      pass(59)
      assert.are.equal(3, #asked)
    end)

  -- The name server was not asked twice in a second, however often a
  -- connection was lost.
  it("is asked for once a second at most", function()
    load({service(ZK)}, {[ZK] = "10.0.0.1:2181"})
    run()
    for _ = 1, 100 do
      clock.pass(0.05)
      made:lost(ZK)
      made:tick()
      if made.by_hosts[ZK].request then
        answer("10.0.0.1:2181")
      end
    end
    assert.is_true(#asked <= 6)
  end)

  it("is asked for again when the answer was lost", function()
    load({service(ZK)}, {[ZK] = "10.0.0.1:2181"})
    run()
    pass(60)
    pass(120)
    assert.are.equal(2, #asked)
    made:take({request = 1, addresses = "10.0.0.7:2181"})
    assert.are.same({}, moved)
    answer("10.0.0.8:2181")
    assert.are.same({ZK .. " 10.0.0.8:2181"}, moved)
  end)

  it("has no default server any more to look up once it was found", function()
    load({service(nil, {"spare"})}, {}, {["spare:1"] = "nobody"})
    run()
    pass(1)
    answer("10.0.0.9:1")
    assert.are.same({services[1]}, filled)
    assert.are.same({"10.0.0.9:81"}, keys(services[1]))
    pass(200)
    assert.are.equal(1, #asked)
  end)

  it("may be where no server can be, which is told", function()
    load({service(nil, {"spare"})}, {["spare:1"] = "169.254.169.254:1"})
    assert.are.same({}, keys(services[1]))
    assert.are.equal(1, log.count("error: services.web: spare: "))
  end)

  it("waits where no thread can be made", function()
    load({service(ZK)}, {}, {[ZK] = "nobody"})
    run(false)
    pass(10)
    assert.are.same({"2001 " .. ZK, "2003 " .. ZK, "2007 " .. ZK}, asked)
    assert.are.equal(1, log.count("no thread"))
  end)

  describe("by another configuration", function()
    before_each(function()
      load({service("zk1:2181")}, {["zk1:2181"] = "10.0.0.1:2181"})
      run()
      made.deps.resolve = function(hosts) return "[" .. hosts .. "]" end
    end)

    it("is asked for at once", function()
      local other = service("zk2:2181", {"localhost"})
      made:add(other)
      assert.is_nil(made:addresses("zk2:2181"))
      made:tick()
      local now = clock.now()
      assert.are.same({now .. " zk2:2181", now .. " localhost:1"}, asked)
      answer("127.0.0.1:1")
      assert.are.same({other}, filled)
      assert.are.same({"127.0.0.1:81"}, keys(other))
    end)

    it("needs no asking where it is an address", function()
      made:add(service("10.0.0.9:2181"))
      assert.are.equal("[10.0.0.9:2181]", made:addresses("10.0.0.9:2181"))
      made:tick()
      assert.are.same({}, asked)
    end)

    it("is known already where another service names it", function()
      local other = service("zk1:2181")
      made:add(other)
      made:remove(services[1])
      assert.are.equal("10.0.0.1:2181", made:addresses("zk1:2181"))
      made:remove(other)
      assert.are.same({}, made.by_hosts)
      assert.are.same({}, made.list)
    end)

    it("has its address at once where that is known", function()
      local one, two = service(nil, {"localhost", "localhost"}),
        service(nil, {"localhost"})
      made:add(one)
      made:tick()
      answer("127.0.0.1:1")
      made:add(two)
      assert.are.same({"127.0.0.1:81"}, keys(two))
      made:remove(one)
      made:remove(two)
      assert.is_nil(made.by_hosts["localhost:1"])
    end)

    it("is forgotten though an answer is on its way", function()
      local other = service("zk2:2181")
      made:add(other)
      made:tick()
      made:remove(other)
      answer("10.0.0.2:2181")
      assert.are.same({}, moved)
    end)
  end)
end)
