local add_server = require("synapse.haproxy.add_server")
local new_clock = dofile("tests/fake/clock.lua")

local CHECKED = {text = "check", has_check = true, weight = 1}
local PLAIN = {text = "", weight = 1}
local VERIFIED = {text = "ssl verify required", is_tls = true,
  verify = "required", weight = 1}
local TRUSTING = {text = "ssl verify none", is_tls = true, verify = "none",
  weight = 1}
local IMPLICIT = {text = "ssl", is_tls = true, weight = 1}

describe("a growth", function()
  local clock, one

  local function new(options, pool, why, keeps_none)
    clock = new_clock()
    one = add_server.new({backend = "web", pool = pool or {"s1", "s2"},
      options = options, why = why, now = clock.now,
      keeps_idle = not keeps_none,
      kinds = {s1 = "plain", s2 = "plain", first = "plain"}})
  end

  local function learn(states)
    states.s1 = states.s1 or {id = 1}
    states.s2 = states.s2 or {id = 2}
    one:learn(states, {"s1", "s2"})
  end

  local function groups(count)
    local wanted = {}
    for i = 1, count do
      wanted[i] = "plain"
    end
    return one:groups(wanted)
  end

  local function texts(count)
    local list = {}
    for _, group in ipairs(groups(count)) do
      for _, command in ipairs(group) do
        list[#list + 1] = command.text
      end
    end
    return list
  end

  before_each(function()
    new(PLAIN)
    learn({})
  end)

  it("adds slots under the next names and ids", function()
    assert.are.same({
      "add server web/s3 127.0.0.1:1 id 3 pool-max-conn -1 pool-purge-delay 5s",
      "set server web/s3 state maint",
      "add server web/s4 127.0.0.1:1 id 4 pool-max-conn -1 pool-purge-delay 5s",
      "set server web/s4 state maint",
    }, texts(2))
  end)

  it("adds slots that keep no connection for others, if told so", function()
    new(CHECKED, nil, nil, true)
    learn({})
    assert.are.equal("add server web/s3 127.0.0.1:1 id 3 check pool-max-conn 0",
      texts(1)[1])
  end)

  it("adds a slot for a backup as one", function()
    new(CHECKED)
    learn({})
    local group = one:groups({"backup"})[1]
    assert.are.equal("add server web/s3 127.0.0.1:1 id 3 pool-max-conn -1 " ..
      "pool-purge-delay 5s check backup", group[1].text)
    assert.are.equal("backup", group[#group].kind)
  end)

  it("adds none where none is needed", function()
    assert.are.same({}, texts(0))
  end)

  it("adds them with the options, and turns on their checks", function()
    new({text = "check agent-check", has_check = true, has_agent = true,
      weight = 1})
    learn({})
    assert.are.same({
      "add server web/s3 127.0.0.1:1 id 3 pool-max-conn -1 pool-purge-delay " ..
        "5s check agent-check",
      "enable health web/s3",
      "enable agent web/s3",
      "set server web/s3 state maint",
    }, texts(1))
  end)

  it("leaves names and ids alone that others have", function()
    learn({s3 = {id = 90}, spare = {id = 12}})
    assert.is_truthy(texts(1)[1]:find("^add server web/s4 .* id 91 "))
  end)

  it("finds names where slots have no number", function()
    new(PLAIN, {"first"})
    one:learn({first = {id = 1}}, {"first"})
    assert.is_truthy(texts(1)[1]:find("^add server web/first1 "))
  end)

  it("has a slot ready when its last command was acknowledged", function()
    new(CHECKED)
    learn({})
    local add, health, maint = table.unpack(groups(1)[1])
    assert.is_false(one:done(add))
    assert.is_false(one:done(health))
    assert.is_true(one:done(maint))
    assert.is_truthy(texts(1)[1]:find("^add server web/s4 .* id 4 "))
  end)

  describe("of which a slot was deleted", function()
    before_each(function()
      for _, group in ipairs(groups(2)) do
        one:done(group[1])
        one:done(group[2])
      end
      one:deleted("s3")
    end)

    it("adds it again with the id that it had", function()
      local list = texts(2)
      assert.is_truthy(list[1]:find("^add server web/s3 .* id 3 "))
      assert.is_truthy(list[3]:find("^add server web/s5 .* id 5 "))
    end)

    it("adds it with another if a server has that", function()
      learn({s4 = {id = 4}, spare = {id = 3}})
      assert.is_truthy(texts(1)[1]:find("^add server web/s3 .* id 5 "))
    end)
  end)

  describe("whose answer was lost", function()
    before_each(function()
      new(CHECKED)
      learn({})
      for _, command in ipairs(groups(1)[1]) do
        one:sent(command)
      end
    end)

    it("brings to its end what was added", function()
      one:lost()
      learn({s3 = {id = 3}})
      assert.are.same({}, texts(1))
      clock.pass(1)
      assert.are.same({"enable health web/s3", "set server web/s3 state maint"},
        texts(1))
      for _, command in ipairs(groups(1)[1]) do
        one:done(command)
      end
      assert.is_truthy(texts(1)[1]:find("^add server web/s4 .* id 4 "))
    end)

    it("does not take it for one that is for backups", function()
      learn({s3 = {id = 3}})
      assert.is_truthy(one:groups({"backup"})[1][1].text:find(
        "^add server web/s4 .* backup$"))
    end)

    it("adds what was not", function()
      learn({})
      assert.is_truthy(texts(1)[1]:find("^add server web/s3 .* id 3 "))
    end)
  end)

  it("is refused once for all, and tried again later and later", function()
    assert.are.equal(1, one:refuse("HAProxy said no"))
    assert.is_nil(one:refuse("HAProxy said more"))
    assert.are.same({}, texts(1))
    assert.are.equal("HAProxy said no", one:obstacle())
    clock.pass(1)
    assert.is_true(one:is_due())
    assert.are.equal(2, #texts(1))
    assert.are.equal(2, one:refuse("HAProxy said no"))
    one:rest()
    assert.are.equal(1, one:refuse("HAProxy said no"))
  end)

  it("adds nothing without options, and tells why", function()
    new(nil, nil, "server_options is not set")
    learn({})
    assert.are.same({}, texts(1))
    assert.are.equal("server_options is not set", one:obstacle())
  end)

  describe("where slots use TLS", function()
    for about, options in pairs({["no TLS"] = CHECKED, ["no words"] = PLAIN,
      ["unverified TLS"] = TRUSTING, ["TLS that may not verify"] = IMPLICIT})
    do
      it("adds no server with " .. about, function()
        new(options)
        learn({s2 = {id = 2, is_tls = true}})
        assert.are.same({}, texts(1))
        assert.is_truthy(one:obstacle():find("its slots use TLS", 1, true))
      end)
    end

    it("adds servers that verify", function()
      new(VERIFIED)
      learn({s1 = {id = 1, is_tls = true}, s2 = {id = 2, is_tls = true}})
      assert.are.equal(2, #texts(1))
    end)

    it("does not forget it when an operator turns TLS off", function()
      learn({s1 = {id = 1, is_tls = true}})
      learn({})
      assert.are.same({}, texts(1))
    end)
  end)

  it("adds no server with TLS where slots use none", function()
    new(VERIFIED)
    learn({})
    assert.are.same({}, texts(1))
    assert.is_truthy(one:obstacle():find("its slots do not use TLS", 1, true))
  end)
end)

it("names slots like those for addresses, not like those for names", function()
  local one = add_server.new({backend = "web", pool = {"s1", "s2", "n1"},
    kinds = {s1 = "plain", s2 = "plain", n1 = "name"}, options = {text = ""},
    now = os.time})
  one:learn({s1 = {id = 1}, s2 = {id = 2}, n1 = {id = 3}}, {})
  assert.are.equal("s3", one:groups({"plain"})[1][1].slot)
end)
