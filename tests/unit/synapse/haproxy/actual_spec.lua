local actual = require("synapse.haproxy.actual")
local new_clock = dofile("tests/fake/clock.lua")

local DECLARED = {
  s1 = {weight = 10, maxconn = 7}, s2 = {weight = 10, maxconn = 7},
  n1 = {weight = 1, maxconn = 0, is_for_names = true},
}

describe("the actual slots", function()
  local clock, one, pool, planned

  local function wanted(changes)
    local server = {host = "10.0.0.1", port = 80, weight = 10, initial = 10,
      maxconn = 7, admin = "ready"}
    for field, value in pairs(changes or {}) do
      server[field] = value
    end
    return server
  end

  -- What the marked slots need, when these are to be so.
  local function repairs(targets, room)
    planned = {}
    return one:repairs("web", {
      pool = pool,
      has = function(slot)
        for _, one_of_pool in ipairs(pool) do
          if one_of_pool == slot then
            return true
          end
        end
        return false
      end,
      target_of = function(slot) return targets[slot] end,
      is_filled = function(slot) return targets[slot] ~= nil end,
      planned = function(slot) table.insert(planned, slot) end,
    }, room or math.huge)
  end

  -- The texts of that, and whether it is all.
  local function texts(targets, room)
    local list = {}
    local groups, is_whole = repairs(targets, room)
    for _, group in ipairs(groups) do
      for _, command in ipairs(group) do
        list[#list + 1] = command.text
      end
    end
    return list, is_whole
  end

  -- Has one slot filled, and nothing marked.
  local function settle()
    one:filled("s1", wanted())
    assert.are.same({}, texts({s1 = wanted()}))
  end

  before_each(function()
    clock = new_clock()
    pool = {"s1", "s2", "n1"}
    one = actual.new(pool, DECLARED, clock.now)
  end)

  it("begins with empty slots as they are declared", function()
    assert.are.same({host = "127.0.0.1", port = 1, weight = 10, initial = 10,
      maxconn = 7, admin = "maint"}, one.servers.s1)
    assert.are.equal("240.0.0.1", one.servers.n1.host)
    assert.are.equal("maint", one.acknowledged.s1)
  end)

  it("looks at what is marked alone, and until it is as it is to be",
    function()
      settle()
      assert.are.same({}, texts({s1 = wanted({weight = 5})}))
      one:mark("s1")
      for _ = 1, 2 do
        assert.are.same({"set server web/s1 weight 5"},
          texts({s1 = wanted({weight = 5})}))
      end
      assert.are.same({}, texts({s1 = wanted()}))
      assert.are.same({}, texts({s1 = wanted({weight = 5})}))
    end)

  it("lists slots in their order, those that are added last", function()
    one:add("s0", {weight = 1, maxconn = 0})
    table.insert(pool, "s0")
    local found = texts({s2 = wanted(), s0 = wanted({initial = 1, weight = 1,
      maxconn = 0})})
    assert.are.equal("set server web/s2 addr 10.0.0.1 port 80", found[1])
    assert.are.equal("set server web/s0 addr 10.0.0.1 port 80", found[2])
  end)

  -- Has HAProxy do what the marked slots need; returns the texts.
  local function apply(targets)
    local list, needs_more = {}, false
    for _, group in ipairs((repairs(targets))) do
      for _, command in ipairs(group) do
        list[#list + 1] = command.text
        one:sent(command)
        needs_more = one:done(command) or needs_more
      end
    end
    return list, needs_more
  end

  -- On HAProxy 3.0, whose slots were always filled in two rounds, the only
  -- instance left in the first one: requests got a 503 until the second.
  it("empties the last slot that serves once another one does", function()
    one:filled("s1", wanted())
    local targets = {s2 = wanted({host = "10.0.0.2"})}
    local list, needs_more = apply(targets)
    assert.are.same({"set server web/s2 addr 10.0.0.2 port 80"}, list)
    assert.is_true(needs_more)
    list, needs_more = apply(targets)
    assert.are.same({"set server web/s2 state ready",
      "set server web/s1 state maint"}, list)
    assert.is_false(needs_more)
    assert.are.same({}, (apply(targets)))
  end)

  -- Where all instances were replaced at once, and more of them than there were
  -- free slots, all that served left in the first round.
  it("keeps who serves while others get slots of those that leave", function()
    one:filled("s1", wanted())
    one:filled("s2", wanted({host = "10.0.0.2"}))
    local targets = {s1 = wanted({host = "10.0.0.9"})}
    one:mark("s1")
    one:mark("s2")
    assert.are.same({"set server web/s1 state maint",
      "set server web/s1 addr 10.0.0.9 port 80"}, (apply(targets)))
    assert.are.same({"set server web/s1 state ready",
      "set server web/s2 state maint"}, (apply(targets)))
    assert.are.same({}, (apply(targets)))
  end)

  it("changes half of the slots first where all get another", function()
    one:filled("s1", wanted())
    one:filled("s2", wanted({host = "10.0.0.2"}))
    local targets = {s1 = wanted({host = "10.0.0.8"}),
      s2 = wanted({host = "10.0.0.9"})}
    one:mark("s1")
    one:mark("s2")
    assert.are.same({"set server web/s1 state maint",
      "set server web/s1 addr 10.0.0.8 port 80"}, (apply(targets)))
    assert.are.same({"set server web/s1 state ready",
      "set server web/s2 state maint",
      "set server web/s2 addr 10.0.0.9 port 80"}, (apply(targets)))
    assert.are.same({"set server web/s2 state ready"}, (apply(targets)))
  end)

  it("fills a free slot before the others change", function()
    one:add("s3", DECLARED.s1)
    table.insert(pool, "s3")
    one:filled("s1", wanted())
    local targets = {s1 = wanted({host = "10.0.0.8"}),
      s3 = wanted({host = "10.0.0.9"})}
    one:mark("s1")
    assert.are.same({"set server web/s3 addr 10.0.0.9 port 80"},
      (apply(targets)))
    assert.are.same({"set server web/s3 state ready",
      "set server web/s1 state maint",
      "set server web/s1 addr 10.0.0.8 port 80"}, (apply(targets)))
    assert.are.same({"set server web/s1 state ready"}, (apply(targets)))
  end)

  it("changes the only slot at once", function()
    one:filled("s1", wanted())
    one:mark("s1")
    assert.are.same({"set server web/s1 state maint",
      "set server web/s1 addr 10.0.0.9 port 80"},
      (apply({s1 = wanted({host = "10.0.0.9"})})))
  end)

  it("empties a slot at once while another goes on serving", function()
    one:add("s3", DECLARED.s1)
    table.insert(pool, "s3")
    one:filled("s1", wanted())
    one:filled("s3", wanted({host = "10.0.0.3"}))
    local targets = {s2 = wanted({host = "10.0.0.2"}),
      s3 = wanted({host = "10.0.0.3"})}
    assert.are.same({"set server web/s2 addr 10.0.0.2 port 80",
      "set server web/s1 state maint"}, (apply(targets)))
  end)

  it("empties a slot at once where the other does not serve soon", function()
    for _, changes in ipairs({{admin = "drain"}, {starts_down = true}}) do
      one:filled("s1", wanted())
      one:mark("s1")
      changes.host = "10.0.0.2"
      assert.are.same("set server web/s1 state maint",
        texts({s2 = wanted(changes)})[2])
    end
  end)

  it("has what was acknowledged, and what was sent for unknown", function()
    settle()
    local command = {slot = "s1", field = "maxconn", change = {maxconn = 3}}
    one:sent(command)
    assert.is_nil(one.servers.s1.maxconn)
    one:done(command)
    assert.are.equal(3, one.servers.s1.maxconn)
    command = {slot = "s1", field = "admin", change = {admin = "drain"}}
    one:sent(command)
    assert.are.equal("unknown", one.acknowledged.s1)
    one:done(command)
    assert.are.equal("drain", one.acknowledged.s1)
  end)

  it("forgets what a check found before the server moved", function()
    settle()
    one.servers.s1.check = "fails"
    one:done({slot = "s1", field = "weight", change = {weight = 1}})
    assert.are.equal("fails", one.servers.s1.check)
    one:done({slot = "s1", field = "addr", change = {host = "10.0.0.2"}})
    assert.is_nil(one.servers.s1.check)
  end)

  it("knows since when a server is ready", function()
    settle()
    one:done({slot = "s1", field = "admin", change = {admin = "drain"}})
    assert.is_nil(one.servers.s1.since)
    clock.pass(5)
    one:done({slot = "s1", field = "admin", change = {admin = "ready"}})
    assert.are.equal(clock.now(), one.servers.s1.since)
  end)

  it("has a slot at rest that is empty, with nothing more to be done",
    function()
      settle()
      assert.is_true(one:is_at_rest("s2"))
      assert.is_false(one:is_at_rest("s1"))
      one:mark("s2")
      assert.is_false(one:is_at_rest("s2"))
    end)

  describe("where HAProxy uses an address only later", function()
    local MOVE = {slot = "s1", field = "addr",
      change = {host = "10.0.0.2", port = 81}}

    local function look(answer)
      return one:look_at_moves(function(slot, host, port)
        assert.are.same({"s1", "10.0.0.2", 81}, {slot, host, port})
        return answer
      end)
    end

    before_each(function()
      one = actual.new(pool, DECLARED, clock.now, true)
      settle()
      assert.is_false(one:is_moving())
      assert.is_true(one:done(MOVE))
    end)

    it("has the old one until the new one is seen", function()
      assert.is_true(one:is_moving())
      assert.are.equal("10.0.0.1", one.servers.s1.host)
      assert.is_false(look(false))
      assert.is_true(one:is_moving())
      assert.is_false(look(true))
      assert.are.same({"10.0.0.2", 81},
        {one.servers.s1.host, one.servers.s1.port})
      assert.is_false(one:is_moving())
      assert.is_nil(one.servers.s1.moving)
      -- It is looked at: what it is to be may be another address again.
      assert.are.same({"set server web/s1 state maint",
        "set server web/s1 addr 10.0.0.1 port 80"}, texts({s1 = wanted()}))
    end)

    it("asks HAProxy after a second, or where nothing can be seen", function()
      clock.pass(1)
      assert.is_false(look(false))
      clock.pass(0.1)
      assert.is_true(look(false))
      assert.is_true(look(nil))
      assert.is_true(one:is_moving())
    end)

    it("is not at rest meanwhile", function()
      one.servers.s1.admin = "maint"
      assert.is_false(one:is_at_rest("s1"))
      look(true)
      texts({})
      assert.is_true(one:is_at_rest("s1"))
    end)

    it("is compared after each command until then", function()
      local weight = {slot = "s1", field = "weight", change = {weight = 1}}
      assert.is_true(one:done(weight))
      look(true)
      assert.is_false(one:done(weight))
    end)
  end)

  it("keeps the maxconn that HAProxy does not tell, and tells a new check",
    function()
      settle()
      assert.is_false(one:take("s1", wanted({maxconn = false})))
      assert.are.equal(7, one.servers.s1.maxconn)
      assert.are.equal("ready", one.acknowledged.s1)
      assert.is_true(one:take("s1", wanted({check = "fails"})))
    end)

  it("ends a refusal with the instance, and with what is not needed now",
    function()
      settle()
      local command = {slot = "s1", field = "weight", text = "x"}
      assert.are.equal(1, one:refuse(command))
      one:vacate("s1")
      assert.are.equal("unknown", one.acknowledged.s1)
      assert.is_nil(one.refusals:command("s1"))
      one:refuse(command)
      assert.are.same({}, texts({s1 = wanted()}))
      assert.are.equal("x", one.refusals:command("s1"))
      clock.pass(1)
      assert.are.same({}, texts({s1 = wanted()}))
      assert.is_nil(one.refusals:command("s1"))
    end)

  -- Each failing check made the agent plan all slots of the backend: 6 ms for a
  -- thousand of them.
  it("plans after a comparison what differs alone", function()
    settle()
    one:take("s1", wanted({check = "fails"}))
    assert.are.same({}, texts({s1 = wanted({weight = 5})}))
    assert.are.same({}, planned)
    for field, value in pairs({host = "10.0.0.9", port = 81, weight = 3,
      admin = "maint"})
    do
      one:take("s1", wanted({[field] = value}))
      assert.are_not.same({}, texts({s1 = wanted()}), field)
      assert.are.same({"s1"}, planned)
      one:take("s1", wanted())
      assert.are.same({}, texts({s1 = wanted()}))
    end
  end)

  it("ends a plan once there is more than can be sent", function()
    local targets = {s1 = wanted(), s2 = wanted()}
    local first, is_whole = texts(targets, 10)
    assert.are.same({"set server web/s1 addr 10.0.0.1 port 80"}, first)
    assert.is_false(is_whole)
    assert.are.same({"s1"}, planned)
    local all
    all, is_whole = texts(targets)
    assert.are.equal(2, #all)
    assert.is_true(is_whole)
  end)

  -- A slot that is about to be deleted is marked, and not in the pool.
  it("plans the slots of the pool alone, in the order in which they came",
    function()
      pool = {"s2", "n1"}
      texts({s1 = wanted(), s2 = wanted(), n1 = wanted()})
      assert.are.same({"s2", "n1"}, planned)
    end)

  it("plans as many slots as are marked", function()
    local declared, targets = {}, {}
    pool = {}
    for i = 1, 100 do
      pool[i] = "s" .. i
      declared[pool[i]] = DECLARED.s1
    end
    one = actual.new(pool, declared, clock.now)
    texts(targets)
    assert.are.same(pool, planned)
    one:mark("s90")
    one:mark("s7")
    one:mark("s12")
    targets.s12 = wanted()
    texts(targets)
    assert.are.same({"s12", "s7", "s90"}, planned)
  end)

  -- A server that HAProxy does not have any more was one that goes on serving:
  -- so all the others could leave at once.
  it("does not count a slot that is gone among those that serve", function()
    one.servers.s1.admin = "ready"
    one:drop("s1")
    assert.is_nil(one.servers.s1)
  end)

  it("does not look at a slot that is gone, nor at what it refused", function()
    one:refuse({slot = "s1", field = "weight", text = "x"})
    one:drop("s1")
    assert.is_nil(one.refusals:command("s1"))
    assert.are.same({}, texts({s1 = wanted()}))
  end)
end)

describe("a refused command", function()
  local clock, one

  before_each(function()
    clock = new_clock()
    one = actual.new({}, {}, clock.now).refusals
  end)

  it("is not tried until it is due", function()
    assert.are.equal(1, one:add("s1", "weight"))
    assert.are.equal("weight", one:pending("s1"))
    assert.is_false(one:is_due())
    clock.pass(1)
    assert.is_nil(one:pending("s1"))
    assert.is_true(one:is_due())
  end)

  it("waits twice as long each time, at most a minute", function()
    local delays = {}
    for i = 1, 8 do
      delays[i] = one:add("s1", "weight")
    end
    assert.are.same({1, 2, 4, 8, 16, 32, 60, 60}, delays)
  end)

  it("of another slot waits for itself", function()
    one:add("s1", "weight")
    assert.are.equal(1, one:add("s2", "weight"))
    assert.is_nil(one:pending("s3"))
  end)

  it("is forgotten, and begins with a second again", function()
    one:add("s1", "weight")
    one:forget("s1")
    assert.is_nil(one:pending("s1"))
    assert.are.equal(1, one:add("s1", "weight"))
  end)

  it("is not forgotten for the success of another", function()
    one:add("s1", "weight")
    one:forget("s1", "addr")
    assert.are.equal("weight", one:pending("s1"))
    one:forget("s1", "weight")
    assert.is_nil(one:pending("s1"))
  end)
end)
