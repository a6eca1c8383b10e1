local names = require("synapse.service.host_names")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")

local ONE = {key = "10.0.0.1:80", host = "10.0.0.1"}
local NAMED = {key = "a.b:80", host = "a.b", is_name = true}

describe("the names of a service", function()
  local clock, log, one

  local function new(has_slots)
    clock, log = new_clock(), new_log()
    one = names.new({name = "web", backend = "www", has_slots = has_slots,
      addresses = {}, now = clock.now, log = log})
  end

  it("are served where there are slots for them", function()
    new(true)
    local all = {ONE, NAMED}
    assert.are.equal(all, one:admit(all))
  end)

  it("are refused otherwise, which is said until there are none", function()
    new(false)
    assert.are.same({ONE}, one:admit({ONE, NAMED}))
    assert.are.same({ONE}, one:admit({ONE, NAMED}))
    assert.are.equal(1, log.count("web: a.b:80 has a host name; refused, " ..
      "backend www has no slot for it: add a line `server-template n 1-4 " ..
      "240.0.0.1:1 resolvers <section> disabled`"))
    local all = {ONE}
    assert.are.equal(all, one:admit(all))
    one:admit({NAMED})
    assert.are.equal(2, log.count("has a host name"))
  end)

  it("are found in what is new", function()
    new(false)
    local lists = {{ONE}, {ONE, {key = "b:80", host = "10.0.0.2"}}}
    for _, all in ipairs(lists) do
      assert.are.equal(all, one:admit(all))
    end
    assert.are.same({ONE}, one:admit({ONE, {key = "b:80", host = "b",
      is_name = true, weight = 2}}))
    assert.are.equal(1, log.count("b:80 has a host name"))
  end)

  it("are asked for until HAProxy has their addresses", function()
    new(true)
    one:plan("n1", {fqdn = "a.b"}, {fqdn = "a.b", host = "240.0.0.1"})
    assert.is_true(one.awaited.n1)
    assert.is_false(one:is_due())
    clock.pass(0.5)
    assert.is_true(one:is_due())
    one:asked()
    assert.is_false(one:is_due())
    one:plan("n1", {fqdn = "a.b"}, {fqdn = "a.b", host = "10.0.0.1"})
    clock.pass(0.5)
    assert.is_nil(one.awaited.n1)
    assert.is_false(one:is_due())
  end)

  -- One name that does not resolve was asked for twice a second for ever, each
  -- time with the state of all servers of the backend.
  it("are asked for later and later, at most every 30 s", function()
    new(true)
    for _, delay in ipairs({0.5, 1, 2, 4, 8, 16, 30, 30}) do
      one:plan("n1", {fqdn = "a.b"}, {fqdn = "a.b", host = "240.0.0.1"})
      clock.pass(delay - 0.1)
      assert.is_false(one:is_due())
      clock.pass(0.1)
      assert.is_true(one:is_due())
      one:asked()
    end
    one:learn("a.b:80", {fqdn = "a.b", host = "10.0.0.1"})
    one:plan("n2", {fqdn = "c.d"}, {fqdn = "a.b", host = "10.0.0.1"})
    clock.pass(0.5)
    assert.is_true(one:is_due())
  end)

  it("are asked for soon where another one comes to a slot", function()
    new(true)
    for _, delay in ipairs({0.5, 1, 2}) do
      one:plan("n1", {fqdn = "a.b"}, {fqdn = "a.b", host = "240.0.0.1"})
      clock.pass(delay)
      one:asked()
    end
    one:plan("n1", {fqdn = "c.d"}, {fqdn = "a.b", host = "240.0.0.1"})
    clock.pass(0.5)
    assert.is_true(one:is_due())
  end)

  it("have the last address that was found, until they go", function()
    new(true)
    local found = {fqdn = "a.b", host = "10.0.0.1"}
    assert.is_true(one:learn("a.b:80", found))
    assert.is_false(one:learn("a.b:80", found))
    assert.is_false(one:learn("a.b:80", {fqdn = "a.b", host = "-"}))
    assert.are.same({["a.b:80"] = "10.0.0.1"}, one.addresses)
    one:forget("a.b:80")
    assert.are.same({}, one.addresses)
  end)

  it("are none where an address was given", function()
    new(true)
    assert.is_false(one:learn("10.0.0.1:80", {host = "10.0.0.1"}))
  end)
end)
